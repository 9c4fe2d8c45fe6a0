"""The load against a server whose answers are known."""

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from bench import load

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
WRONG = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
type_of_answering = Callable[[Callable[[bytes], bytes]], Awaitable[int]]


def _requests(count: int) -> list[bytes]:
    return [b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(count)]


async def test_sends_each_request_once_and_counts_each_answer(answering: type_of_answering) -> None:
    heard = Counter[bytes]()

    def answer(request: bytes) -> bytes:
        heard[request] += 1
        return GOOD

    asking = load.Asking(await answering(answer), iter(_requests(100)), 200)
    tally = await load.run(asking, connections=7)
    assert heard == Counter(_requests(100))
    assert len(tally.waits_s) == 100
    assert tally.per_s == pytest.approx(100 / tally.took_s)
    assert 0 < min(tally.waits_s) <= max(tally.waits_s) < tally.took_s


async def test_stops_when_the_time_is_over(answering: type_of_answering) -> None:
    asking = load.Asking(await answering(lambda _: GOOD), itertools.cycle(_requests(3)), 200)
    tally = await load.run(asking, connections=2, seconds=0.2)
    assert 0.2 <= tally.took_s < 5
    assert len(tally.waits_s) > 2


async def test_refuses_to_measure_a_server_that_answers_wrongly(answering: type_of_answering) -> None:
    answers = iter([GOOD] * 20 + [WRONG])
    asking = load.Asking(await answering(lambda _: next(answers, GOOD)), itertools.cycle(_requests(3)), 200)
    with pytest.raises(load.WrongAnswer, match="503 Service Unavailable"):
        await load.run(asking, connections=2, seconds=5)


async def test_refuses_to_measure_a_server_that_hangs_up(answering: type_of_answering) -> None:
    def hang_up(request: bytes) -> bytes:
        raise ConnectionError

    asking = load.Asking(await answering(hang_up), itertools.cycle(_requests(3)), 200)
    with pytest.raises(load.WrongAnswer, match="closed"):
        await load.run(asking, connections=2, seconds=5)
