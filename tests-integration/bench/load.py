"""The load: connections that ask again as soon as they were answered, from prebuilt bytes, on uvloop.

What it costs itself is measured by the contest, against a responder that does nothing.
"""

import asyncio
import contextlib
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from bench import answers

HOST = "127.0.0.1"
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of whom: `requests` are shared by all connections; any other status is wrong."""

    port: int
    requests: Iterator[bytes]
    status: int


@dataclass(slots=True)
class Tally:
    """What came of it: seconds that each answer took, how long all of it took, and the first wrong answers."""

    waits_s: "array[float]" = field(default_factory=lambda: array("d"))
    took_s: float = 0.0
    wrong: list[bytes] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Good answers per second."""
        return len(self.waits_s) / self.took_s


class WrongAnswer(Exception):
    """A contender that answers wrongly is not measured."""


class _Client(asyncio.Protocol):
    __slots__ = ("_asking", "_closed", "_reader", "_sent_at", "_stop", "_tally", "_transport")

    def __init__(self, asking: Asking, tally: Tally, stop: asyncio.Event) -> None:
        self._asking = asking
        self._tally = tally
        self._stop = stop
        self._reader = answers.Reader()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._ask()

    def data_received(self, data: bytes) -> None:
        try:
            status = self._reader.feed(data)
        except answers.Malformed as malformed:
            self._tally.wrong.append(str(malformed).encode())
            self._transport.abort()
            return
        if status == self._asking.status:
            self._tally.waits_s.append(time.perf_counter() - self._sent_at)
            self._ask()
        elif status:
            self._tally.wrong.append(self._reader.whole)
            self._transport.abort()

    def connection_lost(self, failure: Exception | None) -> None:
        if not self._stop.is_set() and not self._tally.wrong:
            self._tally.wrong.append(b"the connection was closed")
        self._closed.set_result(None)

    def _ask(self) -> None:
        request = None if self._stop.is_set() else next(self._asking.requests, None)
        if request is None:
            self._stop.set()
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    async def ended(self) -> None:
        """Returns when it has its last answer."""
        await self._closed


async def run(asking: Asking, connections: int, seconds: float = 3600.0) -> Tally:
    """Asks for so long, or until there are no more requests. WrongAnswer, TimeoutError."""
    loop = asyncio.get_running_loop()
    tally, stop = Tally(), asyncio.Event()
    ending = loop.call_later(seconds, stop.set)
    began = time.perf_counter()
    made = [loop.create_connection(lambda: _Client(asking, tally, stop), HOST, asking.port) for _ in range(connections)]
    clients = [client for _, client in await asyncio.gather(*made)]
    async with asyncio.timeout(seconds + _PATIENCE_S):
        for client in clients:
            await client.ended()
    tally.took_s = time.perf_counter() - began
    ending.cancel()
    if tally.wrong:
        raise WrongAnswer(f"instead of {asking.status}: {tally.wrong[0][:500].decode(errors='replace')}")
    return tally


async def ask(port: int, request: bytes) -> bytes:
    """One answer, whole. WrongAnswer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    found = answers.Reader()
    with contextlib.closing(writer):
        writer.write(request)
        while data := await reader.read(65_536):
            if found.feed(data):
                return found.whole
    raise WrongAnswer("the connection was closed")
