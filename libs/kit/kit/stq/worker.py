"""The worker: claims what is due, runs it, writes how it ended, and stops without losing anything."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit import errors, failpoints, logs, pg
from kit.stq import execution, holding, ingest, ledger, loops, measures, outbox, queue, tasks, upkeep, wire

PREFETCH = 64
# Endings that could not be written yet; beyond it nothing more is claimed.
MOST_UNWRITTEN = 2000
_CONNECTIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a worker does what, in seconds; a dead worker's task is taken up within `lease_s` + 1.1 `sweep_s`."""

    lease_s: float = 10.0
    heartbeat_s: float = 3.0
    sweep_s: float = 1.0
    tick_s: float = 1.0
    clean_s: float = 10.0
    measure_s: float = 10.0
    relay_s: float = 1.0


class _Lane:
    """One task's queue in this process: how many run, and whether there may be more to claim."""

    def __init__(self, task: tasks.Task) -> None:
        self.task = task
        self.running = 0
        self.woken = asyncio.Event()
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.gauge = measures.running.labels(task.name)

    @property
    def room(self) -> int:
        return self.task.concurrency - self.running

    def move(self, by: int) -> None:
        self.running += by
        self.gauge.set(self.running)
        if self.room > 0:
            self.has_room.set()
        else:
            self.has_room.clear()


class Worker:
    """Runs a service's tasks and schedule, takes in its messages and relays its outbox.

    It uses a few database connections of its own, so that no task can starve the heartbeat.
    """

    def __init__(
        self,
        service_queue: queue.Queue,
        table: Sequence[tasks.Task],
        schedule: Sequence[tasks.Every],
        context: Any,
        *,
        pace: Pace | None = None,
    ) -> None:
        self._queue = service_queue
        self._table = execution.table_of(table)
        self._schedule = schedule
        self._context = context
        self._pace = pace or Pace()
        self._background: list[asyncio.Task[None]] = []
        self._claiming: list[asyncio.Task[None]] = []
        self._is_stopping = False
        _check(service_queue.service, self._table, schedule)

    async def start(self) -> None:
        """Begins to work; never fails because a server is away."""
        pace = self._pace
        self._db = await pg.Database.open(self._queue.db.dsn, name="stq", size=_CONNECTIONS)
        self._lanes = {name: _Lane(task) for name, task in self._table.items()}
        self._holding = holding.Holding(self._db, pace.lease_s)
        self._ingest = ingest.Ingest(self._db, self._table, self._wake)
        self._relay = outbox.Relay(self._db, self._queue.broker)
        self._upkeep = upkeep.Upkeep(self._db, list(self._table.values()), self._schedule, self._wake, pace.sweep_s)
        self._queue.attend(self._wake, self._relay.wake)
        self._claiming = [asyncio.create_task(self._claim(lane), name="stq claim") for lane in self._lanes.values()]
        for name, period_s, step in (
            ("heartbeat", pace.heartbeat_s, self._holding.extend),
            ("write", 0.1, self._holding.write_forever),
            ("ingest", 0.1, self._ingest.run),
            ("relay", 0.0, self._relay_step),
            ("sweep", pace.sweep_s, self._upkeep.sweep),
            ("tick", pace.tick_s, self._upkeep.tick),
            ("clean", pace.clean_s, self._upkeep.clean),
            ("measure", pace.measure_s, self._upkeep.measure),
        ):
            loop = loops.forever(name, period_s, step)
            self._background.append(asyncio.create_task(loop, name=f"stq {name}"))
        await self._queue.broker.subscribe(
            wire.Subscription(
                queues=list(self._table),
                dead_letters=f"{self._queue.service}.dead-letters",
                prefetch=PREFETCH,
                on_bell=self._wake,
                on_task=self._ingest.take,
            )
        )

    async def stop(self, grace_s: float = 20.0) -> None:
        """Takes nothing more, gives what is held `grace_s` from now to finish, and hands back the rest's leases."""
        deadline = asyncio.get_running_loop().time() + grace_s
        self._is_stopping = True
        self._queue.neglect()
        for lane in self._lanes.values():
            lane.woken.set()
            lane.has_room.set()
        # Storing goes on meanwhile, so that a message that is being stored is also acknowledged.
        await self._queue.broker.unsubscribe()
        if self._claiming:
            await asyncio.wait(self._claiming, timeout=5)
        runners = [held.runner for held in self._holding.running() if held.runner is not None]
        if runners:
            await asyncio.wait(runners, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        if runners := self._holding.hand_back():
            logs.warning("tasks_handed_back", count=len(runners))
            await asyncio.wait(runners, timeout=2)
        await self._holding.wait_written(timeout_s=3)
        for loop in (*self._background, *self._claiming):
            loop.cancel()
        await asyncio.gather(*self._background, *self._claiming, return_exceptions=True)
        await self._db.close()

    def _wake(self, name: str) -> None:
        if (lane := self._lanes.get(name)) is not None:
            lane.woken.set()

    async def _relay_step(self) -> None:
        await self._relay.wait(self._pace.relay_s)
        await self._relay.step()

    async def _claim(self, lane: _Lane) -> None:
        """Claims what fits, again and again while there is more; a failure waits and tries again."""
        backoff = loops.Backoff()
        while True:
            await lane.woken.wait()
            await lane.has_room.wait()
            if self._is_stopping:
                return
            if self._holding.unwritten > MOST_UNWRITTEN:
                await asyncio.sleep(0.05)
                continue
            lane.woken.clear()
            try:
                await self._claim_once(lane)
                backoff.reset()
            except Exception as failure:
                if backoff.is_fresh or not isinstance(failure, errors.Refusal):
                    logs.exception("tasks_not_claimed", task=lane.task.name)
                lane.woken.set()
                await backoff.wait()

    async def _claim_once(self, lane: _Lane) -> None:
        asked = lane.room
        holds_until = asyncio.get_running_loop().time() + self._pace.lease_s
        rows = await ledger.claim(self._db, queue=lane.task.name, limit=asked, lease_s=self._pace.lease_s)
        if rows:
            failpoints.reach("stq.claim", "after_claim")
        for row in rows:
            self._begin(lane, row, holds_until)
        if len(rows) == asked:
            lane.woken.set()

    def _begin(self, lane: _Lane, row: ledger.Row, holds_until: float) -> None:
        claim = execution.claim_of(lane.task, row)
        held = self._holding.add(claim, holds_until)
        if self._is_stopping:
            self._holding.end(held, execution.Outcome(row.task_id, row.attempt, "returned"))
            return
        lane.move(+1)
        held.runner = asyncio.create_task(self._run(lane, row, held), name="stq task")

    async def _run(self, lane: _Lane, row: ledger.Row, held: holding.Held) -> None:
        try:
            outcome = await execution.execute(lane.task, row, held.claim, self._context)
        except asyncio.CancelledError:
            outcome = execution.Outcome(row.task_id, row.attempt, _why_cancelled(held))
        finally:
            lane.move(-1)
        self._holding.end(held, outcome)


def _why_cancelled(held: holding.Held) -> execution.Result:
    if held.claim.is_finished:
        return "done"
    return "lost" if held.is_lost and not held.is_returned else "returned"


def _check(service: str, table: Any, schedule: Sequence[tasks.Every]) -> None:
    for name in table:
        if tasks.owner(name) != service:
            raise ValueError(f"{name} is not a task of {service}")
    for entry in schedule:
        if entry.name not in table:
            raise ValueError(f"{entry.name} is on the schedule, but in no task table")
