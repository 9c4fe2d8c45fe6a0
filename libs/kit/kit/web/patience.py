"""A connection's patience: how long it waits for a head, for the next request, and for its answers to be read."""

import abc
import asyncio
import fcntl
import struct
import termios

from aiohttp.base_protocol import BaseProtocol

from kit import metrics
from kit.web import limits as bounds

CUT = metrics.counter("http_connections_cut_total", "Connections closed by a limit", ("limit",))


class Patient(BaseProtocol):
    """A connection that ends when one of its parts takes too long; what is answered has a deadline of its own."""

    __slots__ = ("_head_timer", "_idle_since", "_idle_timer", "_limits", "_write_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: bounds.Limits) -> None:
        super().__init__(loop)
        self._limits = limits
        self._idle_since = loop.time()
        self._idle_timer: asyncio.TimerHandle | None = loop.call_later(limits.idle_s, self._look_if_idle)
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    @property
    @abc.abstractmethod
    def is_busy(self) -> bool:
        """True while a request is being answered."""

    @abc.abstractmethod
    def close(self) -> None:
        """Ends the connection when what was written has left."""

    def _stop_timers(self) -> None:
        for timer in (self._idle_timer, self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._idle_timer = self._head_timer = self._write_timer = None

    def _look_if_idle(self) -> None:
        now = self._loop.time()
        due = (now if self.is_busy else self._idle_since) + self._limits.idle_s
        if due <= now:
            self.close()
        else:
            self._idle_timer = self._loop.call_at(due, self._look_if_idle)

    def _begin_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self._loop.call_later(self._limits.header_s, self._head_too_slow)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if self.is_busy:
            self._begin_head()
        else:
            CUT.labels("header").inc()
            self.close()

    def pause_writing(self) -> None:
        """Begins to wait for a client that does not read what it asked for."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self._loop.call_later(self._limits.write_s, self._reader_too_slow)

    def resume_writing(self) -> None:
        """The client has read all of it."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _reader_too_slow(self) -> None:
        self._write_timer = None
        if self.transport is not None:
            CUT.labels("write").inc()
            self.transport.abort()


def has_unread(transport: asyncio.Transport | None) -> bool:
    """True when the kernel holds bytes of the client that nobody has looked at."""
    if transport is None:
        return False
    waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.FIONREAD, b"\0" * 4)
    return bool(struct.unpack("i", waiting)[0])
