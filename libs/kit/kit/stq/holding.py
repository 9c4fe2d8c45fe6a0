"""What a worker holds: claims under lease, their heartbeat, and the endings that are still to be written."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from kit import logs, pg
from kit.stq import execution, ledger, loops, tasks

BATCH = 500


@dataclass(slots=True, eq=False)
class Held:
    """A claim whose lease is ours until `holds_until` (a time of the loop) at the least."""

    claim: tasks.Claim
    holds_until: float
    runner: asyncio.Task[None] | None = None
    outcome: execution.Outcome | None = None
    is_lost: bool = field(default=False)
    is_returned: bool = field(default=False)


class Holding:
    """Everything this process holds, by token."""

    def __init__(self, db: pg.Database, lease_s: float) -> None:
        self._db = db
        self._lease_s = lease_s
        self._held: dict[int, Held] = {}
        self._ended: list[Held] = []
        self._woken = asyncio.Event()
        self._emptied = asyncio.Event()

    @property
    def unwritten(self) -> int:
        """How many endings await their writing; they still hold their leases."""
        return len(self._ended)

    def running(self) -> list[Held]:
        """What is being worked at."""
        return [each for each in self._held.values() if each.outcome is None]

    def add(self, claim: tasks.Claim, holds_until: float) -> Held:
        """Begins to hold."""
        held = self._held[claim.token] = Held(claim, holds_until)
        return held

    def end(self, held: Held, outcome: execution.Outcome) -> None:
        """Notes how it ended; the writing follows in a batch."""
        held.outcome = outcome
        if execution.ending(held.claim, outcome) is None:
            self._forget(held)
            return
        self._ended.append(held)
        self._emptied.clear()
        self._woken.set()

    def _forget(self, held: Held) -> None:
        if self._held.pop(held.claim.token, None) is not None and held.outcome is not None:
            execution.count(held.claim.name, held.outcome.result)

    async def write_forever(self) -> None:
        """Writes endings, all that gathered while the last batch was under way in one statement."""
        backoff = loops.Backoff()
        while True:
            if not self._ended:
                self._emptied.set()
                self._woken.clear()
                await self._woken.wait()
            # Those that end in this very turn of the loop come along.
            await asyncio.sleep(0)
            try:
                await self._write(self._ended[:BATCH])
                backoff.reset()
            except loops.PASSING as failure:
                if backoff.is_fresh:
                    logs.warning("task_endings_wait", count=len(self._ended), reason=failure.code)
                await backoff.wait()

    async def wait_written(self, timeout_s: float) -> None:
        """Until every ending is written, at most `timeout_s`; what is not is run again after its lease."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._ended:
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            logs.error("task_endings_lost", count=len(self._ended))

    async def _write(self, batch: Sequence[Held]) -> None:
        endings = [
            end
            for each in batch
            if each.outcome is not None and (end := execution.ending(each.claim, each.outcome)) is not None
        ]
        kept = await ledger.finish(self._db, endings)
        del self._ended[: len(batch)]
        for each in batch:
            if each.claim.token not in kept:
                self._refused(each)
            self._forget(each)

    def _refused(self, held: Held) -> None:
        assert held.outcome is not None
        held.outcome = execution.Outcome(held.outcome.task_id, held.outcome.attempt, "lost", "lease_lost")
        logs.warning("task_lease_lost", task=held.claim.name, step="finish")

    async def extend(self) -> None:
        """Extends every lease, and ends the work on those that are somebody else's by now."""
        now = asyncio.get_running_loop().time()
        held = list(self._held.values())
        if not held:
            return
        try:
            kept = await ledger.extend(
                self._db, [(each.claim.id, each.claim.token) for each in held], lease_s=self._lease_s
            )
        except loops.PASSING:
            self._lose([each for each in held if each.holds_until < now])
            raise
        for each in held:
            if each.claim.token in kept:
                each.holds_until = now + self._lease_s
        self._lose([each for each in held if each.claim.token not in kept])

    def _lose(self, lost: Sequence[Held]) -> None:
        for each in lost:
            # One that is finishing within its own transaction is fenced by that, and may just have committed.
            if each.outcome is None and not each.claim.is_finishing and each.runner is not None:
                logs.warning("task_lease_lost", task=each.claim.name, step="heartbeat")
                each.is_lost = True
                each.runner.cancel()

    def hand_back(self) -> list[asyncio.Task[None]]:
        """Stops the work on everything and gives the leases back, as if it had not been begun."""
        runners = []
        for each in self.running():
            if each.runner is not None:
                each.is_returned = True
                each.runner.cancel()
                runners.append(each.runner)
        return runners
