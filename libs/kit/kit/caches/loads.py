"""Reads of many keys, gathered: what is asked for in one turn of the loop goes to the database as one statement."""

import asyncio
import contextvars
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic

from kit import errors, logs
from kit.caches import slots
from kit.caches.slots import Failure, Slot, V

_KEYS_PER_LOAD = 200
_AT_ONCE = 2


class Loads(Generic[V]):
    """Loads of one Keyed, two at a time: the busier the database, the more keys go together.

    `settle(key, slot, value, number)` is told what a load brought; a key is in one load at a time.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[list[str]], Awaitable[Mapping[str, V]]],
        settle: Callable[[str, Slot[V], V | None, int], None],
    ) -> None:
        self.begun = 0
        self._name = name
        self._load = load
        self._settle = settle
        self._wanted: dict[str, Slot[V]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._is_called = False

    def want(self, key: str, slot: Slot[V]) -> None:
        """Reads the key at the end of this turn of the loop, or when a load has ended; no second time meanwhile."""
        if not slot.load:
            # Whoever stands here for the key already may have been dropped from memory meanwhile.
            self._wanted[key] = slot
            self._call()

    async def close(self) -> None:
        """Ends what is under way."""
        running = list(self._running)
        for load in running:
            load.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._running.clear()
        self._wanted.clear()

    def _call(self) -> None:
        if self._wanted and not self._is_called and len(self._running) < _AT_ONCE:
            self._is_called = True
            # A load belongs to no request: its deadline and its trace are not those of whoever asked first.
            asyncio.get_running_loop().call_soon(self._begin, context=contextvars.Context())

    def _begin(self) -> None:
        self._is_called = False
        while self._wanted and len(self._running) < _AT_ONCE:
            taken = list(itertools.islice(self._wanted, _KEYS_PER_LOAD))
            asked = {key: slot for key in taken if (slot := self._wanted.pop(key)).is_needed}
            if not asked:
                continue
            self.begun += 1
            for slot in asked.values():
                slot.load = self.begun
            run = self._run(asked, self.begun)
            self._running.add(asyncio.get_running_loop().create_task(run, name=f"load {self._name}"))

    async def _run(self, asked: dict[str, Slot[V]], number: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            found = await self._load(list(asked))
            for key, slot in asked.items():
                self._settle(key, slot, found.get(key), number)
        except (Exception, asyncio.CancelledError) as error:
            # A library may raise CancelledError for reasons of its own; only ours is obeyed.
            if task.cancelling():
                raise
            self._fail((slot for slot in asked.values() if slot.load == number), error)
        else:
            slots.LOADS.labels(self._name, "ok").inc()
        finally:
            self._running.discard(task)
            self._call()

    def _fail(self, asked: Iterable[Slot[V]], error: BaseException) -> None:
        failure = _failure(error)
        slots.LOADS.labels(self._name, "failed").inc()
        # While the database is away every read fails, and the pool has said so.
        if failure is Failure.BROKEN:
            logs.exception("cache_load_failed", cache=self._name)
        for slot in asked:
            slot.fail(failure)


def _failure(error: BaseException) -> Failure:
    if isinstance(error, asyncio.CancelledError):
        return Failure.UNAVAILABLE
    is_usual = isinstance(error, errors.Refusal) and error.kind in (errors.Kind.UNAVAILABLE, errors.Kind.TIMEOUT)
    return Failure.UNAVAILABLE if is_usual else Failure.BROKEN
