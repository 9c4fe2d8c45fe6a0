"""Clients that wait for a change of their player: each asks again, for what follows, as soon as it was answered."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from bench import answers, load

_AT_ONCE = 100
_POLL = 0.01
_PATIENCE_S = 30.0


@dataclass(slots=True)
class Heard:
    """What a crowd got: when the last change came to each client, and how many answers said that there was none."""

    changed_at: dict[int, float] = field(default_factory=dict)
    unchanged: int = 0
    wrong: list[bytes] = field(default_factory=list)


class Waiter(asyncio.Protocol):
    """One client; `polls` makes its request from the ETag that it has, None before the first answer."""

    __slots__ = ("_heard", "_number", "_polls", "_reader", "_transport", "etag", "is_waiting")

    def __init__(self, number: int, polls: Callable[[str | None], bytes], heard: Heard) -> None:
        self._number = number
        self._polls = polls
        self._heard = heard
        self._reader = answers.Reader()
        self.etag: str | None = None
        self.is_waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        status = self._reader.feed(data)
        if not status:
            return
        if status == 200:
            self._heard.changed_at[self._number] = time.perf_counter()
            self.etag = (answers.header(self._reader.whole, b"etag") or b"").decode()
        elif status == 304:
            self._heard.unchanged += 1
        else:
            self._heard.wrong.append(self._reader.whole)
        if self.is_waiting:
            self.ask()

    def connection_lost(self, failure: Exception | None) -> None:
        self._heard.wrong.append(b"the connection was closed")

    def ask(self) -> None:
        """The first poll, or one that waits."""
        self._transport.write(self._polls(self.etag))

    def leave(self) -> None:
        """Hangs up."""
        self._transport.abort()


class Crowd:
    """As many clients as there are polls, on a connection each."""

    def __init__(self, polls: Sequence[Callable[[str | None], bytes]]) -> None:
        self.heard = Heard()
        self._waiters = [Waiter(number, poll, self.heard) for number, poll in enumerate(polls)]

    async def come(self, port: int) -> None:
        """Every client connects and polls once, without waiting. WrongAnswer, TimeoutError."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(self._waiters), _AT_ONCE):
            some = self._waiters[start : start + _AT_ONCE]
            await asyncio.gather(*(loop.create_connection(lambda it=it: it, load.HOST, port) for it in some))  # type: ignore[misc]  # the lambda is of its waiter
            for waiter in some:
                waiter.ask()
            async with asyncio.timeout(_PATIENCE_S):
                while not all(waiter.etag for waiter in some):
                    self.check()
                    await asyncio.sleep(_POLL)

    async def wait(self) -> None:
        """From now on each client waits for a change of what it has."""
        for number, waiter in enumerate(self._waiters):
            waiter.is_waiting = True
            waiter.ask()
            if number % _AT_ONCE == 0:
                await asyncio.sleep(_POLL)

    def check(self) -> None:
        """WrongAnswer when a client got anything but a state or the word that it has not changed."""
        if self.heard.wrong:
            raise load.WrongAnswer(self.heard.wrong[0][:500].decode(errors="replace"))

    def leave(self) -> None:
        """All hang up."""
        for waiter in self._waiters:
            waiter.leave()
