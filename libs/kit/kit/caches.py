"""Values that a process keeps in memory and reads again when the database says that they changed.

    STATIONS = caches.Cache("stations", channel="metro_stations", load=load)      # in a feature's actions
    ctx.caches.get(STATIONS)                                                      # in a handler

Whoever changes the stored value says `NOTIFY <channel>` in the same transaction. When the listening connection was
lost, everything is read anew as soon as it is back, so that a missed word costs only that time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kit import errors, logs, metrics, pg

T = TypeVar("T")
_RETRY_S = 1.0
_LOADS = metrics.counter("cache_loads_total", "Loads of values kept in memory", ("cache", "outcome"))


class NotLoaded(errors.Unavailable):
    """The service still lacks the data that this needs."""


@dataclass(frozen=True)
class Cache(Generic[T]):
    """What to keep: `load` reads it from the database, None when there is nothing yet."""

    name: str
    channel: str
    load: Callable[[pg.Executor], Awaitable[T | None]]


class Caches:
    """The values of one process."""

    def __init__(self, db: pg.Database) -> None:
        self._db = db
        self._values: dict[str, Any] = {}
        self._stale: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._listener: pg.Listener | None = None

    async def start(self, caches: Sequence[Cache[Any]]) -> None:
        """Begins to keep `caches`; the values come when the database is there."""
        if not caches:
            return
        self._stale = {cache.name: asyncio.Event() for cache in caches}
        by_channel: dict[str, list[asyncio.Event]] = {}
        for cache in caches:
            by_channel.setdefault(cache.channel, []).append(self._stale[cache.name])
        if not caches:
            return
        self._tasks = [asyncio.create_task(self._keep(cache), name=f"cache {cache.name}") for cache in caches]
        self._listener = pg.Listener(
            self._db.dsn,
            name="caches",
            channels={channel: _rings(events) for channel, events in by_channel.items()},
            on_connect=self._refresh_all,
            on_lost=lambda: None,
        )
        await self._listener.start()

    async def close(self) -> None:
        """Stops keeping; the values stay as they are."""
        if self._listener is not None:
            await self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_listening(self) -> bool:
        """True while the database can tell of changes."""
        return self._listener is not None and self._listener.is_connected

    def get(self, cache: Cache[T]) -> T:
        """The value; NotLoaded before the first load."""
        try:
            value: T = self._values[cache.name]
        except KeyError:
            raise NotLoaded(cache=cache.name) from None
        return value

    async def check(self) -> None:
        """Raises RuntimeError naming what is not loaded, for readiness."""
        if missing := sorted(set(self._stale) - set(self._values)):
            raise RuntimeError(f"not loaded: {', '.join(missing)}")

    def _refresh_all(self) -> None:
        for event in self._stale.values():
            event.set()

    async def _keep(self, cache: Cache[Any]) -> None:
        stale = self._stale[cache.name]
        while True:
            await stale.wait()
            stale.clear()
            try:
                value = await cache.load(self._db)
            except (Exception, asyncio.CancelledError):
                # A library may raise CancelledError for reasons of its own; only ours ends this.
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                _LOADS.labels(cache.name, "failed").inc()
                logs.exception("cache_load_failed", cache=cache.name)
                await asyncio.sleep(_RETRY_S)
                stale.set()
                continue
            if value is not None:
                self._values[cache.name] = value
                _LOADS.labels(cache.name, "ok").inc()


def _rings(events: Sequence[asyncio.Event]) -> Callable[[str], None]:
    def ring(_payload: str) -> None:
        for event in events:
            event.set()

    return ring
