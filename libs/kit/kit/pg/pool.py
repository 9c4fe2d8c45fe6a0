"""A bounded pool that is fair: whoever waits longest gets the next connection, and nothing jumps the queue.

A returned connection is handed straight to the first waiter; a dead one is replaced at once. Connecting happens in
tasks of the pool, outside of everything, so that a slow connect delays only those who would wait for it anyway.
"""

import asyncio
import collections
import contextlib
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from kit import logs, metrics
from kit.pg import faults, link

WAITERS_PER_CONNECTION = 20
# After a failed connect nobody tries again for this long: a dead server is not asked by every request.
PAUSE_S = (0.05, 0.5)
CLOSE_S = 5.0

_in_use = metrics.gauge("pg_pool_in_use", "Connections held by somebody.", ("pool",))
_size = metrics.gauge("pg_pool_size", "Open connections.", ("pool",))
_waiting = metrics.gauge("pg_pool_waiting", "Tasks that wait for a connection.", ("pool",))
_acquire_seconds = metrics.histogram("pg_acquire_seconds", "Waiting for a connection.", ("pool",))
_query_seconds = metrics.histogram("pg_query_seconds", "Statements, from sending to the whole answer.", ("pool",))
_connect_failures = metrics.counter("pg_connect_failures_total", "Connections that could not be opened.", ("pool",))


class Pool:
    """At most `size` connections, made when they are needed."""

    def __init__(
        self, connect: Callable[[], Awaitable[link.Link]], *, name: str, size: int, acquire_timeout_s: float
    ) -> None:
        self.name = name
        self.size = size
        self.holders: set[asyncio.Task[Any]] = set()
        self.observe_query = _query_seconds.labels(name).observe
        self._connect = connect
        self._acquire_timeout_s = acquire_timeout_s
        self._idle: list[link.Link] = []
        self._held: set[link.Link] = set()
        self._waiters: collections.deque[asyncio.Future[link.Link]] = collections.deque()
        self._waiting = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._pause_s = 0.0
        self._paused_until = 0.0
        self._resume: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._drained: asyncio.Future[None] | None = None
        self._observe_acquire = _acquire_seconds.labels(name).observe
        self._expose()

    def _expose(self) -> None:
        seen = weakref.ref(self)
        _in_use.labels(self.name).set_function(lambda: len(p._held) if (p := seen()) else 0)
        _size.labels(self.name).set_function(lambda: len(p._held) + len(p._idle) if (p := seen()) else 0)
        _waiting.labels(self.name).set_function(lambda: p._waiting if (p := seen()) else 0)

    def refuse_nested(self) -> None:
        """RuntimeError when the current task is inside a transaction, and so may hold a connection already."""
        if self.holders and asyncio.current_task() in self.holders:
            raise RuntimeError("this task is inside a transaction: use its tx, a second connection can deadlock")

    async def acquire(self) -> link.Link:
        """A connection for the caller alone, to be given to `release`; Unavailable when there is none in time."""
        if self._is_closed:
            raise faults.Unavailable
        # When something lies idle, nobody waits.
        while self._idle:
            found = self._idle.pop()
            if found.is_quiet():
                self._held.add(found)
                self._observe_acquire(0.0)
                return found
            found.drop()
        if self._waiting >= self.size * WAITERS_PER_CONNECTION or self._is_hopeless():
            raise faults.Unavailable
        return await self._wait()

    def release(self, used: link.Link) -> None:
        """Takes a connection back; one that is dead or in the middle of something is closed and replaced."""
        self._held.discard(used)
        if self._is_closed or not used.is_usable():
            used.drop()
            self._grow()
            self._note_drained()
        else:
            self._offer(used)

    async def close(self, grace_s: float = CLOSE_S) -> None:
        """Lets nobody in, waits at most `grace_s` for what is held, then closes it under its holders."""
        self._is_closed = True
        self._stop_waiting()
        for idle in self._idle:
            idle.drop()
        self._idle.clear()
        for opening in list(self._opening):
            opening.cancel()
        if self._held:
            await self._drain(grace_s)
        for held in list(self._held):
            held.drop()
        if self._opening:
            await asyncio.wait(self._opening, timeout=grace_s)

    async def _drain(self, grace_s: float) -> None:
        self._drained = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._drained

    def _note_drained(self) -> None:
        if self._drained is not None and not self._held and not self._drained.done():
            self._drained.set_result(None)

    async def _wait(self) -> link.Link:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[link.Link] = loop.create_future()
        self._waiters.append(waiter)
        self._waiting += 1
        self._grow()
        timer = loop.call_later(self._acquire_timeout_s, self._give_up, waiter)
        began = time.perf_counter()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(waiter.result())
            raise
        finally:
            timer.cancel()
            self._waiting -= 1
            self._observe_acquire(time.perf_counter() - began)

    @staticmethod
    def _give_up(waiter: "asyncio.Future[link.Link]") -> None:
        if not waiter.done():
            waiter.set_exception(faults.Unavailable())

    def _offer(self, free: link.Link) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._held.add(free)
                waiter.set_result(free)
                return
        self._idle.append(free)

    def _stop_waiting(self) -> None:
        while self._waiters:
            self._give_up(self._waiters.popleft())
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None

    def _is_hopeless(self) -> bool:
        """The last connect failed a moment ago and there is no connection that could come back."""
        return not self._held and not self._opening and time.monotonic() < self._paused_until

    def _grow(self) -> None:
        """Opens as many connections as there are waiters, within the size; later when the last connect failed."""
        while self._waiters and self._waiters[0].done():
            self._waiters.popleft()
        wanted = len(self._waiters) - len(self._opening)
        room = self.size - len(self._held) - len(self._idle) - len(self._opening)
        if self._is_closed or wanted <= 0 or room <= 0:
            return
        if (pause := self._paused_until - time.monotonic()) > 0:
            self._grow_after(pause)
            return
        for _ in range(min(wanted, room)):
            opening = asyncio.get_running_loop().create_task(self._open(), name=f"pg connect {self.name}")
            self._opening.add(opening)

    def _grow_after(self, pause_s: float) -> None:
        if self._resume is None:
            self._resume = asyncio.get_running_loop().call_later(pause_s, self._grow_again)

    def _grow_again(self) -> None:
        self._resume = None
        self._grow()

    async def _open(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            opened = await self._connect()
        except Exception as error:
            self._opening.discard(task)
            self._connect_failed(error)
        except BaseException:
            self._opening.discard(task)
            raise
        else:
            self._opening.discard(task)
            self._pause_s = self._paused_until = 0.0
            self._welcome(opened)

    def _welcome(self, opened: link.Link) -> None:
        if self._is_closed:
            opened.drop()
        else:
            self._offer(opened)

    def _connect_failed(self, error: Exception) -> None:
        _connect_failures.labels(self.name).inc()
        now = time.monotonic()
        if now >= self._paused_until:
            self._pause_s = min(max(self._pause_s * 2, PAUSE_S[0]), PAUSE_S[1])
            self._paused_until = now + self._pause_s
            logs.warning("pg_connect_failed", name=self.name, reason=type(error).__name__, message=str(error).strip())
        if self._held or self._opening:
            self._grow()
        else:
            self._stop_waiting()
