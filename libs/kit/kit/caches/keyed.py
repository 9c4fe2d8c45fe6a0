"""Values kept by key: the most recently used ones, each read at most once per change."""

import asyncio
import collections
import functools
import itertools
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from kit import metrics, pg
from kit.caches import loads, slots, wheel
from kit.caches.slots import UNKNOWN, Failure, Slot, Unknown, V

# How often waiters look for themselves while nobody can tell them, or after a load failed.
_LOOK_AGAIN_S = 1.0
_GLANCES = 16

READS = metrics.counter("cache_reads_total", "Reads of keyed values by where they came from", ("cache", "source"))
_ENTRIES = metrics.gauge("cache_entries", "Keys in memory", ("cache",))
_WAITING = metrics.gauge("cache_waiting", "Readers who wait for a change", ("cache",))


@dataclass(frozen=True)
class Keyed(Generic[V]):
    """What to keep: `load` reads many keys at once; one that it leaves out has nothing.

    `most` keys stay in memory, the most recently used ones. A notification is `key version`, or `key` alone when the
    version may be the same, or empty when everything may have changed; a key has no spaces.
    """

    name: str
    channel: str
    load: Callable[[pg.Executor, Sequence[str]], Awaitable[Mapping[str, V]]]
    most: int = 20_000


class Store(Generic[V]):
    """The memory of one Keyed in one process.

    An epoch is one time of listening, 0 while nobody can tell of changes: what was read in another epoch is not fresh.
    """

    def __init__(self, keyed: Keyed[V], db: pg.Database) -> None:
        self.channel = keyed.channel
        self.waiting = 0
        self._keyed = keyed
        self._slots: collections.OrderedDict[str, Slot[V]] = collections.OrderedDict()
        self._watched: dict[str, Slot[V]] = {}
        self._loads: loads.Loads[V] = loads.Loads(keyed.name, functools.partial(keyed.load, db), self._settle)
        self._epoch = 0
        self._epochs = itertools.count(1)
        self._epoch_after = 0
        self._wheel = wheel.Wheel()
        self._looking: asyncio.TimerHandle | None = None
        self._is_released = False
        self._expose()

    def _expose(self) -> None:
        name, seen = self._keyed.name, weakref.ref(self)
        self._count_memory = READS.labels(name, "memory").inc
        self._count_database = READS.labels(name, "database").inc
        _ENTRIES.labels(name).set_function(lambda: len(store._slots) if (store := seen()) else 0)
        _WAITING.labels(name).set_function(lambda: store.waiting if (store := seen()) else 0)

    def begin_epoch(self) -> None:
        """Changes are told from now on; whatever was read before may be old."""
        self._epoch, self._epoch_after = next(self._epochs), self._loads.begun
        self._look_at_watched()

    def end_epoch(self) -> None:
        """Nobody tells of changes any more."""
        self._epoch = 0

    def hear(self, payload: str) -> None:
        """Takes a notification."""
        key, _, version = payload.partition(" ")
        if not key:
            self.begin_epoch()
        else:
            self.change(key, int(version) if version.isdecimal() else None)

    def change(self, key: str, version: int | None) -> None:
        """There is `version` of the key now; memory that has less is not shown any more."""
        slot = self._slots.get(key)
        if slot is None:
            return
        is_needed = slot.change(version, is_fresh=slot.epoch == self._epoch, begun=self._loads.begun)
        if is_needed and slot.waiters:
            self._loads.want(key, slot)

    def peek(self, key: str, at_least: int) -> V | Unknown | None:
        """What memory may answer, else UNKNOWN."""
        slot = self._slots.get(key)
        if slot is None or slot.epoch != self._epoch:
            return UNKNOWN
        value = slot.value
        if at_least > 0 and (value is None or value is UNKNOWN or value.version < at_least):
            return UNKNOWN
        self._slots.move_to_end(key)
        self._count_memory()
        return value

    async def read(self, key: str, at_least: int) -> V | None:
        """What memory may answer, else what the database says, in one load for all who ask."""
        if not isinstance(found := self.peek(key, at_least), Unknown):
            return found
        self._count_database()
        slot = self._slot(key)
        reader: asyncio.Future[V | Failure | None] = asyncio.get_running_loop().create_future()
        slot.readers[reader] = (at_least, self._loads.begun)
        self._loads.want(key, slot)
        try:
            answer = await reader
        finally:
            slot.readers.pop(reader, None)
        if answer is Failure.UNAVAILABLE:
            raise slots.NotLoaded(cache=self._keyed.name)
        if answer is Failure.BROKEN:
            raise RuntimeError(f"{self._keyed.name} could not be loaded")
        return answer

    async def wait(self, key: str, beyond: int, timeout_s: float) -> V | None:
        """The first value newer than `beyond`, or the last one known when the time is up or waiters are released."""
        found = await self.read(key, beyond)
        slot = self._slot(key)
        if not isinstance(slot.value, Unknown):
            found = slot.value
        if self._is_released or timeout_s <= 0 or slots.is_beyond(found, beyond):
            return found
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = self._wheel.add(waiter, timeout_s)
        self._watch(key, slot, waiter, beyond)
        try:
            await waiter
        finally:
            self._wheel.remove(waiter, place)
            self._unwatch(key, slot, waiter)
        return found if isinstance(slot.value, Unknown) else slot.value

    def release(self) -> None:
        """Lets all waiters go, and makes none wait again."""
        self._is_released = True
        for slot in self._watched.values():
            slot.release()

    async def close(self) -> None:
        """Ends what is under way: readers are refused, waiters let go."""
        self.end_epoch()
        self.release()
        if self._looking is not None:
            self._looking.cancel()
        await self._loads.close()
        for slot in self._slots.values():
            slot.fail(Failure.UNAVAILABLE)

    def _slot(self, key: str) -> Slot[V]:
        slot = self._slots.get(key)
        if slot is None:
            self._make_room()
            slot = self._slots[key] = Slot()
        else:
            self._slots.move_to_end(key)
        return slot

    def _make_room(self) -> None:
        """Drops the least recently used; those in use go to the end of the queue, a few at a time."""
        in_use = 0
        while len(self._slots) >= self._keyed.most and in_use < _GLANCES:
            key, slot = self._slots.popitem(last=False)
            if slot.is_needed or slot.load:
                self._slots[key] = slot
                in_use += 1

    def _watch(self, key: str, slot: Slot[V], waiter: "asyncio.Future[None]", beyond: int) -> None:
        self.waiting += 1
        slot.waiters[waiter] = beyond
        self._watched[key] = slot
        if self._looking is None:
            self._look_again()
        # A word that came between the read and this found nobody who waited.
        if self._epoch and slot.epoch != self._epoch:
            self._loads.want(key, slot)

    def _unwatch(self, key: str, slot: Slot[V], waiter: "asyncio.Future[None]") -> None:
        self.waiting -= 1
        del slot.waiters[waiter]
        if not slot.waiters:
            del self._watched[key]

    def _look_again(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._look)

    def _look(self) -> None:
        self._looking = None
        self._look_at_watched()
        if self._watched:
            self._look_again()

    def _look_at_watched(self) -> None:
        for key, slot in self._watched.items():
            if slot.epoch != self._epoch:
                self._loads.want(key, slot)

    def _settle(self, key: str, slot: Slot[V], value: V | None, number: int) -> None:
        is_fresh = slot.take(value, number, self._epoch if number > self._epoch_after else 0)
        slot.answer(number, is_fresh=is_fresh)
        # While nobody can tell of changes, waiters look once a second.
        if slot.readers or (slot.waiters and self._epoch and not is_fresh):
            self._loads.want(key, slot)
