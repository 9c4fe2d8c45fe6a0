"""What a gate may be told to do with the bytes of its connections."""

import asyncio
import contextlib
import random
from typing import Literal, Protocol

from chaos import framing

_PIECES_PER_S = 50


class Cut(Exception):
    """The connection ends here, by RST."""


class Stream(Protocol):
    """One way of one connection, as an order sees it."""

    way: framing.Way
    has_lost: bool

    async def send(self, data: bytes) -> None:
        """Passes bytes on."""


class Watch(Protocol):
    """An order at work on one connection."""

    async def carry(self, stream: Stream, data: bytes, arrived: float) -> bytes:
        """Deals with bytes that arrived at a time of the loop; what it gives back is for the order after it."""


class Order:
    """In force until `over` is set; `reads` tells whether bytes are taken from the sender at all."""

    reads = True

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def watch(self, *, is_open: bool) -> Watch:
        """Its work on one connection, which was open before the order or came after it."""
        raise NotImplementedError

    async def wait(self, seconds: float) -> None:
        """For so long, or until the next order."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.over.wait()


class Through(Order):
    """Everything passes."""

    def watch(self, *, is_open: bool) -> Watch:
        return self

    async def carry(self, stream: Stream, data: bytes, arrived: float) -> bytes:
        await stream.send(data)
        return b""


class Stopped(Order):
    """Nothing is read."""

    reads = False

    def watch(self, *, is_open: bool) -> Watch:
        return self

    async def carry(self, stream: Stream, data: bytes, arrived: float) -> bytes:
        await self.over.wait()
        return data


class Refusing(Stopped):
    """Nothing is open, and nothing opens."""


class Swallowing(Order):
    """Everything is read and lost."""

    def watch(self, *, is_open: bool) -> Watch:
        return self

    async def carry(self, stream: Stream, data: bytes, arrived: float) -> bytes:
        stream.has_lost = True
        return b""


class Delayed(Order):
    """Everything arrives later, in its order."""

    def __init__(self, seconds: float, jitter_s: float) -> None:
        super().__init__()
        self._seconds, self._jitter_s = seconds, jitter_s

    def watch(self, *, is_open: bool) -> Watch:
        return self

    async def carry(self, stream: Stream, data: bytes, arrived: float) -> bytes:
        due = arrived + self._seconds + random.uniform(0, self._jitter_s)
        await self.wait(max(0.0, due - asyncio.get_running_loop().time()))
        if self.over.is_set():
            return data
        await stream.send(data)
        return b""


class Limited(Order):
    """So many bytes per second."""

    def __init__(self, bytes_per_s: float) -> None:
        super().__init__()
        self._rate = bytes_per_s

    def watch(self, *, is_open: bool) -> Watch:
        return self

    async def carry(self, stream: Stream, data: bytes, arrived: float) -> bytes:
        piece = data[: max(1, int(self._rate / _PIECES_PER_S))]
        await self.wait(len(piece) / self._rate)
        if self.over.is_set():
            return data
        await stream.send(piece)
        return data[len(piece) :]


class CutAfter(Order):
    """A connection ends when so many bytes have passed."""

    def __init__(self, n_bytes: int, direction: framing.Way) -> None:
        super().__init__()
        self.n_bytes, self.direction = n_bytes, direction

    def watch(self, *, is_open: bool) -> Watch:
        return _Counting(self)


class _Counting:
    def __init__(self, order: CutAfter) -> None:
        self._order, self._left = order, order.n_bytes

    async def carry(self, stream: Stream, data: bytes, arrived: float) -> bytes:
        if stream.way != self._order.direction:
            await stream.send(data)
            return b""
        await stream.send(data[: self._left])
        self._left -= len(data)
        if self._left <= 0:
            raise Cut
        return b""


class CutAtMessage(Order):
    """A connection ends where its nth message begins."""

    def __init__(self, nth: int, splitter: framing.MakeSplitter, direction: framing.Way) -> None:
        super().__init__()
        self.nth, self.splitter, self.direction = nth, splitter, direction

    def watch(self, *, is_open: bool) -> Watch:
        return _Splitting(self, self.splitter(is_open=is_open))


class _Splitting:
    def __init__(self, order: CutAtMessage, splitter: framing.Splitter) -> None:
        self._order, self._splitter = order, splitter
        self._before = order.nth - 1

    async def carry(self, stream: Stream, data: bytes, arrived: float) -> bytes:
        ends = self._splitter.feed(stream.way, data)
        if stream.way != self._order.direction:
            await stream.send(data)
            return b""
        allowed = 0 if self._before == 0 else ends[self._before - 1] if len(ends) >= self._before else len(data)
        self._before -= min(self._before, len(ends))
        await stream.send(data[:allowed])
        if allowed < len(data):
            raise Cut
        return b""


class Corrupted(Order):
    """A bit is wrong here and there."""

    def __init__(
        self, nth_byte: int | None, probability: float, rng: random.Random, direction: framing.Way | Literal["both"]
    ) -> None:
        super().__init__()
        self.nth_byte, self.probability, self.rng, self.direction = nth_byte, probability, rng, direction

    def watch(self, *, is_open: bool) -> Watch:
        return _Flipping(self)


class _Flipping:
    def __init__(self, order: Corrupted) -> None:
        self._order = order
        self._seen: dict[framing.Way, int] = {"to_server": 0, "to_client": 0}

    async def carry(self, stream: Stream, data: bytes, arrived: float) -> bytes:
        if self._order.direction in ("both", stream.way):
            data = self._flipped(data, self._seen[stream.way])
        self._seen[stream.way] += len(data)
        await stream.send(data)
        return b""

    def _flipped(self, data: bytes, before: int) -> bytes:
        order, wrong = self._order, bytearray(data)
        for position in range(len(wrong)):
            if before + position + 1 == order.nth_byte or order.rng.random() < order.probability:
                wrong[position] ^= 1 << order.rng.randrange(8)
        return bytes(wrong)
