"""A crowd of waiting clients against a server whose answers are known."""

from collections.abc import Awaitable, Callable

import pytest

from bench import load, waiters
from testkit.waiting import until

type_of_answering = Callable[[Callable[[bytes], bytes]], Awaitable[int]]
UNCHANGED = b"HTTP/1.1 304 Not Modified\r\n\r\n"


def _state(version: int) -> bytes:
    return b'HTTP/1.1 200 OK\r\nETag: "%d"\r\nContent-Length: 2\r\n\r\n{}' % version


def _poll(etag: str | None) -> bytes:
    return f"GET /{etag} HTTP/1.1\r\n\r\n".encode()


async def test_waits_for_what_follows_the_version_it_has(answering: type_of_answering) -> None:
    asked = []
    answers = iter([_state(1), UNCHANGED, _state(2), UNCHANGED])

    def answer(request: bytes) -> bytes:
        asked.append(request)
        return next(answers, b"")  # held from then on

    crowd = waiters.Crowd([_poll])
    await crowd.come(await answering(answer))
    came_at = crowd.heard.changed_at[0]
    await crowd.wait()
    await until(lambda: len(asked) == 5)
    assert asked == [_poll(None), _poll('"1"'), _poll('"1"'), _poll('"2"'), _poll('"2"')]
    assert crowd.heard.changed_at[0] > came_at
    assert crowd.heard.unchanged == 2
    crowd.check()
    crowd.leave()


async def test_polls_once_each_before_it_waits(answering: type_of_answering) -> None:
    asked = []

    def answer(request: bytes) -> bytes:
        asked.append(request)
        return _state(1)

    crowd = waiters.Crowd([_poll] * 250)
    await crowd.come(await answering(answer))
    assert asked == [_poll(None)] * 250
    assert sorted(crowd.heard.changed_at) == list(range(250))
    crowd.leave()


async def test_tells_of_a_wrong_answer(answering: type_of_answering) -> None:
    crowd = waiters.Crowd([_poll])
    port = await answering(lambda _: b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(load.WrongAnswer, match="503"):
        await crowd.come(port)
    crowd.leave()
