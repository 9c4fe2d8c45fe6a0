"""What every worker does by the clock, so that no bell, lease, tick or retention depends on anybody else."""

import asyncio
from collections.abc import Callable, Sequence

from kit import logs, pg
from kit.stq import ledger, measures, tasks, upkeep_sql

KEEP_DONE_S = 7 * 86400.0
KEEP_TICKS_S = 3600.0
DELETE_BATCH = 1000
PAUSE_S = 0.05


class Upkeep:
    """The sweeper, the schedule, the housekeeping and the gauges of one worker; `wake` wakes a queue's claiming."""

    def __init__(
        self,
        db: pg.Database,
        table: Sequence[tasks.Task],
        schedule: Sequence[tasks.Every],
        wake: Callable[[str], None],
        sweep_s: float,
    ) -> None:
        self._db = db
        self._table = table
        self._names = [each.name for each in table]
        self._ticking = [each.name for each in schedule]
        self._periods = [float(each.period_s) for each in schedule]
        self._wake = wake
        self._sweep_s = sweep_s

    async def sweep(self) -> None:
        """Takes expired leases back and wakes the queues that have something due now or before the next sweep."""
        taken = await ledger.take_back(
            self._db,
            queues=self._names,
            max_attempts=[each.max_attempts for each in self._table],
            max_ages=[each.max_age_s for each in self._table],
        )
        for row in taken:
            self._note_taken(row["queue"], row["state"])
        due_in = await ledger.due_in(self._db, self._names)
        loop = asyncio.get_running_loop()
        for name in self._names:
            wait_s = due_in.get(name, self._sweep_s)
            measures.queue_age.labels(name).set(max(0.0, -wait_s))
            if wait_s <= 0:
                self._wake(name)
            elif wait_s < self._sweep_s:
                loop.call_later(wait_s, self._wake, name)

    def _note_taken(self, name: str, state: str) -> None:
        logs.warning("task_lease_expired", task=name, state=state)
        measures.tasks.labels(name, "expired").inc()
        if state == "dead":
            measures.dead.labels(name).inc()

    async def tick(self) -> None:
        """Enqueues the ticks that are due."""
        if self._ticking:
            for name in await upkeep_sql.insert_ticks(self._db, names=self._ticking, periods=self._periods):
                self._wake(name)

    async def clean(self) -> None:
        """Deletes what was finished long ago, in small batches."""
        for delete in (self._delete_ticks, self._delete_done):
            while True:
                if await delete() < DELETE_BATCH:
                    break
                await asyncio.sleep(PAUSE_S)

    async def _delete_ticks(self) -> int:
        return await upkeep_sql.delete_ticks(
            self._db, names=self._ticking, periods=self._periods, keep_s=KEEP_TICKS_S, limit=DELETE_BATCH
        )

    async def _delete_done(self) -> int:
        return await upkeep_sql.delete_done(self._db, ticking=self._ticking, keep_s=KEEP_DONE_S, limit=DELETE_BATCH)

    async def measure(self) -> None:
        """Sets the gauges."""
        dead = await upkeep_sql.count_dead(self._db)
        for name in self._names:
            measures.dead_rows.labels(name).set(dead.get(name, 0))
        found = await upkeep_sql.measure_outbox(self._db)
        measures.outbox_depth.set(found["depth"])
        measures.outbox_age.set(found["age_s"])
