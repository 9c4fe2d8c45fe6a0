"""Steps that are repeated for as long as a worker lives, whatever happens to the servers meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from kit import errors, logs

# What the database says when it is away, slow or unsure; each statement of the ledger may simply be said again.
PASSING = (errors.Unavailable, errors.Timeout, errors.Internal)


async def forever(name: str, period_s: float, step: Callable[[], Awaitable[object]]) -> None:
    """Runs `step`, and again `period_s` (± 10 %) after it ended; logs when it begins to fail and when that is over."""
    is_failing = False
    while True:
        try:
            await step()
            if is_failing:
                logs.info("stq_step_recovered", step=name)
            is_failing = False
        except PASSING as failure:
            if not is_failing:
                logs.warning("stq_step_failed", step=name, reason=failure.code)
            is_failing = True
        except Exception:
            logs.exception("stq_step_broken", step=name)
            is_failing = True
        await asyncio.sleep(period_s * random.uniform(0.9, 1.1))  # noqa: S311


class Backoff:
    """The wait between attempts at a server: doubling with jitter from 50 ms to 1 s, so that nothing lags behind it."""

    def __init__(self) -> None:
        self._next_s = 0.05
        self.is_fresh = True

    async def wait(self) -> None:
        """Waits for longer than the last time."""
        self.is_fresh = False
        await asyncio.sleep(random.uniform(self._next_s / 2, self._next_s))  # noqa: S311
        self._next_s = min(1.0, self._next_s * 2)

    def reset(self) -> None:
        """Says that it went well."""
        self._next_s = 0.05
        self.is_fresh = True
