"""A gate on one edge of the system: a TCP proxy on loopback that passes, slows, swallows, cuts or corrupts on order.

`async with Gate("127.0.0.1", 5432) as gate:` and let the client connect to `gate.port`. One order is in force at a
time; the next replaces it, for connections that are open and for those to come, in the very turn of the loop.
"""

import asyncio
import random
import socket
import struct
from types import TracebackType
from typing import Literal, Self

from chaos import framing, orders

_CHUNK = 1 << 16
_AHEAD = 16


class Gate:
    """Stands before `host:port`; `connections` and `passed` (bytes each way) count since it opened."""

    def __init__(self, host: str, port: int, *, listen_on: int = 0) -> None:
        self._target = (host, port)
        self._asked_port = listen_on
        self._order: orders.Order = orders.Through()
        self._open: set[_Connection] = set()
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None]
        self.port = 0
        self.connections = 0
        self.passed: dict[framing.Way, int] = {"to_server": 0, "to_client": 0}

    async def __aenter__(self) -> Self:
        # Bound and never listening: it keeps the port ours while new connections are refused.
        self._reserved = _bound(self._asked_port)
        self.port = self._reserved.getsockname()[1]
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_listening()
        self.reset()
        await asyncio.gather(self._accepting, *(each.task for each in self._open), return_exceptions=True)
        await asyncio.sleep(0)  # the sockets are closed in the turn after
        self._reserved.close()

    @property
    def order(self) -> orders.Order:
        """What is in force."""
        return self._order

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def let_through(self) -> None:
        """Everything passes; what was held back goes on, and a connection that has lost bytes is reset."""
        self._give(orders.Through())

    def stop_reading(self) -> None:
        """Accepts, but reads nothing: the sender's buffers fill."""
        self._give(orders.Stopped())

    def drop(self) -> None:
        """Accepts and reads, and swallows every byte."""
        self._give(orders.Swallowing())

    def refuse(self) -> None:
        """Resets what is open and refuses what comes."""
        self._give(orders.Refusing())
        self.reset()

    def delay(self, seconds: float, jitter_s: float = 0.0) -> None:
        """Every piece arrives `seconds` later, and up to `jitter_s` more; the order of bytes stays."""
        self._give(orders.Delayed(seconds, jitter_s))

    def limit(self, bytes_per_s: float) -> None:
        """Each way of each connection passes no more than this."""
        self._give(orders.Limited(bytes_per_s))

    def cut_after(self, n_bytes: int, direction: framing.Way = "to_client") -> None:
        """Resets each connection once this many bytes of that direction have passed, counted from now."""
        self._give(orders.CutAfter(n_bytes, direction))

    def cut_at_message(self, nth: int, splitter: framing.MakeSplitter, direction: framing.Way = "to_client") -> None:
        """Resets each connection when its nth message of that direction comes (from 1, counted from now); it is lost.

        `splitter` is a class of `framing`. A connection that is open now is taken to be between two messages.
        """
        self._give(orders.CutAtMessage(nth, splitter, direction))

    def corrupt(
        self,
        nth_byte: int | None = None,
        *,
        probability: float = 0.0,
        seed: int = 0,
        direction: framing.Way | Literal["both"] = "both",
    ) -> None:
        """Flips a bit of each connection's nth byte (from 1, counted from now), or of every byte with a probability."""
        self._give(orders.Corrupted(nth_byte, probability, random.Random(seed), direction))

    def reset(self) -> None:
        """RST on all that is open, both ways; the order stays."""
        for each in self._open:
            each.reset()

    def _give(self, order: orders.Order) -> None:
        before, self._order = self._order, order
        before.over.set()
        for each in self._open:
            each.hear(order)
        if isinstance(order, orders.Refusing):
            self._stop_listening()
        else:
            self._listen()

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = _bound(self.port)
            self._listener.listen(1024)
            self._accepting = asyncio.create_task(self._accept(self._listener), name=f"gate {self.port}")

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._accepting.cancel()
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(listener)
            self.connections += 1
            self._open.add(_Connection(self, client, self._target))

    def forget(self, connection: "_Connection") -> None:
        """It has ended."""
        self._open.discard(connection)


class _Connection:
    """One client and its own connection to the target."""

    def __init__(self, gate: Gate, client: socket.socket, target: tuple[str, int]) -> None:
        self.gate = gate
        self.watch = gate.order.watch(is_open=False)
        self._ends = (client, socket.socket())
        self._target = target
        self._ways: list[_Stream] = []
        self._is_reset = False
        self.task = asyncio.create_task(self._serve(), name="gate connection")
        self.task.add_done_callback(self._end)

    def hear(self, order: orders.Order) -> None:
        """The order is in force from the next byte on."""
        self.watch = order.watch(is_open=True)
        if any(way.has_lost for way in self._ways) and not isinstance(order, orders.Swallowing):
            self.reset()

    def reset(self) -> None:
        """RST to both sides."""
        if not self._is_reset:
            self._is_reset = True
            self.task.cancel()

    def _end(self, task: asyncio.Task[None]) -> None:
        is_broken = task.cancelled() or task.exception() is not None
        for end in self._ends:
            if is_broken:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
        self.gate.forget(self)

    async def _serve(self) -> None:
        client, server = self._ends
        for end in self._ends:
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(server, self._target)
        self._ways = [_Stream(self, "to_server", client, server), _Stream(self, "to_client", server, client)]
        parts = [asyncio.create_task(part) for way in self._ways for part in (way.read(), way.write())]
        try:
            await asyncio.gather(*parts)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)


class _Stream:
    """One way of a connection: reads a little ahead, and has the order in force deal with it."""

    def __init__(self, owner: _Connection, way: framing.Way, source: socket.socket, sink: socket.socket) -> None:
        self.way = way
        self.has_lost = False
        self._owner, self._source, self._sink = owner, source, sink
        self._ahead: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_AHEAD)

    async def read(self) -> None:
        """Reads until the sender has ended its way."""
        loop = asyncio.get_running_loop()
        while True:
            while not (order := self._owner.gate.order).reads:
                await order.over.wait()
            data = await loop.sock_recv(self._source, _CHUNK)
            await self._ahead.put((loop.time(), data))
            if not data:
                return

    async def write(self) -> None:
        """Hands on what was read, and its end."""
        while (item := await self._ahead.get())[1]:
            arrived, data = item
            while data:
                data = await self._owner.watch.carry(self, data, arrived)
        self._sink.shutdown(socket.SHUT_WR)

    async def send(self, data: bytes) -> None:
        """Passes bytes on, and counts them."""
        await asyncio.get_running_loop().sock_sendall(self._sink, data)
        self._owner.gate.passed[self.way] += len(data)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setblocking(False)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
