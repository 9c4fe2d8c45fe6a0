"""One key in memory: what was last read of it, whether that may be shown, and who waits for more.

Loads are counted, so that "this load began after that word came" is a comparison of two numbers: whatever was said
before a load began, the load has seen.
"""

import asyncio
import enum
from typing import Final, Generic, Protocol, TypeVar

from kit import errors, metrics

LOADS = metrics.counter("cache_loads_total", "Loads of values kept in memory", ("cache", "outcome"))
STALE = -1


class NotLoaded(errors.Unavailable):
    """The service still lacks the data that this needs."""


class Versioned(Protocol):
    """What can be kept by key: its version grows with each change."""

    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=Versioned)


class Unknown(enum.Enum):
    """The type of UNKNOWN."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
"""Memory may not answer: the database must be asked. (None says that there is nothing under the key.)"""


class Failure(enum.Enum):
    """Why a load gave nothing."""

    UNAVAILABLE = "unavailable"
    BROKEN = "broken"


def is_beyond(value: Versioned | Unknown | None, version: int) -> bool:
    """Whether there is something newer than `version`; nothing at all is news to whoever has seen something."""
    if value is UNKNOWN:
        return False
    return version > 0 if value is None else value.version > version


class Slot(Generic[V]):
    """A key; `epoch` is that in which `value` was fresh, `load` the number of the load that reads it now or 0."""

    __slots__ = ("_floor", "_floor_after", "_told_after", "epoch", "load", "readers", "value", "waiters")

    def __init__(self) -> None:
        self.value: V | Unknown | None = UNKNOWN
        self.epoch = STALE
        self.load = 0
        # Reader → the version it needs, and how many loads had begun when it asked.
        self.readers: dict[asyncio.Future[V | Failure | None], tuple[int, int]] = {}
        # Waiter → the version that it has seen.
        self.waiters: dict[asyncio.Future[None], int] = {}
        self._told_after = 0
        self._floor = 0
        self._floor_after = 0

    @property
    def is_needed(self) -> bool:
        """Whether anybody waits for what a load would bring."""
        return bool(self.readers or self.waiters)

    def change(self, version: int | None, *, is_fresh: bool, begun: int) -> bool:
        """Takes the word that there is `version` now (None: some other state); True when a load is needed.

        `begun` is how many loads had begun when the word came.
        """
        if version is None:
            self._told_after = begun
        elif is_fresh:
            if isinstance(self.value, Unknown) or (self.value is not None and self.value.version >= version):
                return False
            self._floor, self._floor_after = version, begun
        elif version > self._floor:
            self._floor, self._floor_after = version, begun
        self.epoch = STALE
        return True

    def take(self, value: V | None, load: int, epoch: int) -> bool:
        """Stores what a load brought; True when nothing is known to be newer, so that it is fresh in `epoch`."""
        has_floor = load > self._floor_after or (value is not None and value.version >= self._floor)
        is_fresh = epoch > 0 and load > self._told_after and has_floor
        self.value, self.load = value, 0
        self.epoch = epoch if is_fresh else STALE
        if is_fresh:
            self._floor = 0
        return is_fresh

    def answer(self, load: int, *, is_fresh: bool) -> None:
        """Gives the value to the readers whom it may satisfy: it was read after they asked, or is fresh and enough."""
        value = self.value
        assert not isinstance(value, Unknown)
        version = 0 if value is None else value.version
        for reader, (at_least, asked) in list(self.readers.items()):
            if asked < load or (is_fresh and version >= at_least):
                self._give(reader, value)
        for waiter, seen in self.waiters.items():
            if is_beyond(value, seen) and not waiter.done():
                waiter.set_result(None)

    def fail(self, failure: Failure) -> None:
        """Tells all readers that the load failed; the next one will be tried anew."""
        self.load = 0
        for reader in list(self.readers):
            self._give(reader, failure)

    def release(self) -> None:
        """Lets all waiters go."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _give(self, reader: "asyncio.Future[V | Failure | None]", answer: V | Failure | None) -> None:
        del self.readers[reader]
        if not reader.done():
            reader.set_result(answer)
