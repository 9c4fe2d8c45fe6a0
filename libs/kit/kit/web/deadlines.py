"""Deadlines of running requests, looked at all together: a timer for each would cost more than most handlers."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from kit import scope
from kit.web import loading

T = TypeVar("T")
_LOOK_S = 0.01


class Deadlines:
    """The requests that run now; one whose scope's deadline has passed is cancelled at most 10 ms late."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[object], scope.Scope] = {}
        self._spent: set[asyncio.Task[object]] = set()
        self._looking: asyncio.TimerHandle | None = None

    async def hold(self, here: scope.Scope, work: Awaitable[T]) -> T:
        """What `work` gives; DeadlineExceeded when it was cancelled because the time of `here` was spent."""
        task = asyncio.current_task()
        assert task is not None
        self._running[task] = here
        if self._looking is None:
            self._look()
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._spent and task.cancelling() == 1:
                raise loading.DeadlineExceeded from None
            raise
        finally:
            del self._running[task]
            if task in self._spent:
                self._spent.remove(task)
                task.uncancel()

    def _look(self) -> None:
        now = time.monotonic()
        for task, here in self._running.items():
            if here.deadline is not None and here.deadline <= now and task not in self._spent:
                self._spent.add(task)
                task.cancel()
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(_LOOK_S, self._look) if self._running else None
