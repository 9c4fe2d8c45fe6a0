"""The memory of one process: its whole and keyed values, and the one connection on which it hears of changes."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kit import pg
from kit.caches import keyed, slots, whole

T = TypeVar("T")
# A listening connection that died silently is noticed within this and 3 s more.
_PING_S = 1.0


class Caches:
    """The values of one process."""

    def __init__(self, db: pg.Database) -> None:
        self._db = db
        self._values = whole.Values(db)
        self._stores: dict[str, keyed.Store[Any]] = {}
        self._listener: pg.Listener | None = None

    async def start(self, caches: Sequence[whole.Cache[Any] | keyed.Keyed[Any]]) -> None:
        """Begins to keep `caches`; the values come when the database is there."""
        if not caches:
            return
        told: dict[str, list[Callable[[str], None]]] = {}
        for cache in caches:
            told.setdefault(cache.channel, []).append(self._hearer(cache))
        self._values.start(cache for cache in caches if isinstance(cache, whole.Cache))
        self._listener = pg.Listener(
            self._db.dsn,
            name="caches",
            channels={channel: _each(hearers) for channel, hearers in told.items()},
            on_connect=self._begin,
            on_lost=self._end,
            ping_s=_PING_S,
        )
        await self._listener.start()

    async def close(self) -> None:
        """Stops keeping; whole values stay as they are, waiters are let go."""
        if self._listener is not None:
            await self._listener.close()
        await self._values.close()
        for store in self._stores.values():
            await store.close()

    @property
    def is_listening(self) -> bool:
        """True while the database can tell of changes."""
        return self._listener is not None and self._listener.is_connected

    async def check(self) -> None:
        """Raises RuntimeError naming what is not loaded, for readiness."""
        if missing := self._values.missing():
            raise RuntimeError(f"not loaded: {', '.join(missing)}")

    def get(self, cache: whole.Cache[T]) -> T:
        """A whole value; NotLoaded before the first load."""
        return self._values.get(cache)

    def peek(self, kept: keyed.Keyed[slots.V], key: str, *, at_least: int = 0) -> slots.V | slots.Unknown | None:
        """What memory may answer at once (None: there is nothing), else UNKNOWN: then `read` it."""
        return self._store(kept).peek(key, at_least)

    async def read(self, kept: keyed.Keyed[slots.V], key: str, *, at_least: int = 0) -> slots.V | None:
        """The value, None when there is nothing; from the database when memory lacks it or is below `at_least`.

        NotLoaded when the database cannot be read. A version below `at_least` is what the database has.
        """
        return await self._store(kept).read(key, at_least)

    async def wait(self, kept: keyed.Keyed[slots.V], key: str, *, beyond: int, timeout_s: float) -> slots.V | None:
        """The value as soon as its version is above `beyond` or it is gone, else what is there after `timeout_s`.

        Time is up to 50 ms short. At once when the process drains. NotLoaded when it cannot be read to begin with.
        """
        return await self._store(kept).wait(key, beyond, timeout_s)

    def expect(self, channel: str, key: str, version: int) -> None:
        """Says after an own commit what its notification will say, so that nobody here is shown less meanwhile."""
        for store in self._stores.values():
            if store.channel == channel:
                store.change(key, version)

    def release(self) -> None:
        """Lets all waiters go now and from now on, since the process is about to end."""
        for store in self._stores.values():
            store.release()

    def _store(self, kept: keyed.Keyed[slots.V]) -> keyed.Store[slots.V]:
        store: keyed.Store[slots.V] | None = self._stores.get(kept.name)
        if store is None:
            store = self._stores[kept.name] = keyed.Store(kept, self._db)
        return store

    def _hearer(self, cache: whole.Cache[Any] | keyed.Keyed[Any]) -> Callable[[str], None]:
        if isinstance(cache, keyed.Keyed):
            return self._store(cache).hear
        return lambda _payload: self._values.refresh(cache.name)

    def _begin(self) -> None:
        self._values.refresh_all()
        for store in self._stores.values():
            store.begin_epoch()

    def _end(self) -> None:
        for store in self._stores.values():
            store.end_epoch()


def _each(hearers: Sequence[Callable[[str], None]]) -> Callable[[str], None]:
    def hear(payload: str) -> None:
        for hearer in hearers:
            hearer(payload)

    return hear
