"""Values kept as a whole: read at the start, and again whenever somebody says that they changed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kit import logs, pg
from kit.caches import slots

T = TypeVar("T")
_RETRY_S = 1.0


@dataclass(frozen=True)
class Cache(Generic[T]):
    """What to keep: `load` reads it from the database, None when there is nothing yet."""

    name: str
    channel: str
    load: Callable[[pg.Executor], Awaitable[T | None]]


class Values:
    """The whole values of one process."""

    def __init__(self, db: pg.Database) -> None:
        self._db = db
        self._values: dict[str, Any] = {}
        self._stale: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, caches: Iterable[Cache[Any]]) -> None:
        """Begins to keep `caches`."""
        for cache in caches:
            self._stale[cache.name] = asyncio.Event()
            self._tasks.append(asyncio.create_task(self._keep(cache), name=f"cache {cache.name}"))

    async def close(self) -> None:
        """Stops keeping; the values stay as they are."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def get(self, cache: Cache[T]) -> T:
        """The value; NotLoaded before the first load."""
        try:
            value: T = self._values[cache.name]
        except KeyError:
            raise slots.NotLoaded(cache=cache.name) from None
        return value

    def missing(self) -> list[str]:
        """The names of what is not loaded yet."""
        return sorted(set(self._stale) - set(self._values))

    def refresh(self, name: str) -> None:
        """Reads one again."""
        self._stale[name].set()

    def refresh_all(self) -> None:
        """Reads everything again."""
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
                slots.LOADS.labels(cache.name, "failed").inc()
                logs.exception("cache_load_failed", cache=cache.name)
                await asyncio.sleep(_RETRY_S)
                stale.set()
                continue
            if value is not None:
                self._values[cache.name] = value
                slots.LOADS.labels(cache.name, "ok").inc()
