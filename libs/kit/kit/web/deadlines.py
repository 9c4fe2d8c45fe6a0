"""Deadlines of running requests, looked at all together: a timer for each would cost more than many a handler."""

import asyncio
import math
import time
from collections.abc import Awaitable
from typing import Any, TypeVar

from kit import scope
from kit.web import loading

T = TypeVar("T")
_LOOK_S = 0.01


class Deadlines:
    """The requests that run now; one whose scope's deadline has passed is cancelled at most 10 ms late.

    It looks when the first deadline is due, so that thousands of requests that wait cost nothing while they do.
    """

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[Any], scope.Scope] = {}
        self._spent: set[asyncio.Task[Any]] = set()
        self._looking: asyncio.TimerHandle | None = None
        self._look_at = math.inf

    async def hold(self, here: scope.Scope, task: "asyncio.Task[Any]", work: Awaitable[T]) -> T:
        """What `work` of this `task` gives; DeadlineExceeded when it was cancelled for the time of `here` was spent."""
        assert here.deadline is not None
        self._running[task] = here
        if here.deadline < self._look_at:
            self._look_next(here.deadline)
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
        now, first = time.monotonic(), math.inf
        for task, here in self._running.items():
            deadline = here.deadline or now
            if deadline > now:
                first = min(first, deadline)
            elif task not in self._spent:
                self._spent.add(task)
                task.cancel()
        self._look_at = math.inf
        if first < math.inf:
            self._look_next(max(first, now + _LOOK_S))

    def _look_next(self, at: float) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._look_at = at
        self._looking = asyncio.get_running_loop().call_later(max(0.0, at - time.monotonic()), self._look)
