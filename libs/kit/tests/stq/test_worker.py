"""The worker with a broker in memory: claims, leases, heartbeat, sweeper, stop."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from kit import metrics, pg, stq
from testkit.waiting import until


class Gate:
    """A task body that says when it began and waits until it may end."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.may_end = asyncio.Event()

    async def __call__(self, ctx: Any, claim: stq.Claim) -> None:
        self.began.append(claim.task_id)
        await self.may_end.wait()
        self.ended.append(claim.task_id)


async def test_runs_each_task_once(bench: Any) -> None:
    ran: Counter[str] = Counter()

    async def body(ctx: Any, claim: stq.Claim) -> None:
        ran[claim.task_id] += 1
        await asyncio.sleep(0)

    for _ in range(2):
        await bench.start(bench.task(body))
    async with bench.db.transaction() as tx:
        for number in range(300):
            await bench.queue().enqueue(tx, bench.name, task_id=str(number))

    async def all_done() -> bool:
        return bool(await bench.states() == {"done": 300})

    await until(all_done)
    assert set(ran.values()) == {1}
    assert len(ran) == 300
    assert metrics.value("stq_tasks_total", task=bench.name, outcome="done") == 300


async def test_finds_what_nobody_rang_for(bench: Any) -> None:
    gate = Gate()
    gate.may_end.set()
    await bench.enqueue("before")
    await bench.start(bench.task(gate))
    await until(lambda: gate.ended == ["before"])
    await bench.db.run("INSERT INTO stq.tasks (queue, task_id) VALUES (%(name)s, 'silent')", name=bench.name)
    await until(lambda: gate.ended == ["before", "silent"])


async def test_runs_own_task_without_any_broker(bench: Any) -> None:
    gate = Gate()
    gate.may_end.set()
    queue = bench.queue()
    await bench.start(bench.task(gate), queue=queue, pace=stq.Pace(sweep_s=3600))
    await bench.broker.close()
    # The first may be found by the sweep at the start; there is none after it.
    for ended in (["1"], ["1", "2"]):
        async with bench.db.transaction() as tx:
            await queue.enqueue(tx, bench.name, task_id=ended[-1])
        await until(lambda ended=ended: gate.ended == ended)  # type: ignore[misc]


async def test_runs_delayed_task_when_it_is_due(bench: Any) -> None:
    gate = Gate()
    gate.may_end.set()
    await bench.start(bench.task(gate), pace=stq.Pace(sweep_s=0.5))
    await bench.enqueue("1", delay_s=0.7)
    await until(lambda: gate.ended == ["1"])
    late = "SELECT extract(epoch FROM started_at - due_at)::float8 FROM stq.tasks"
    assert 0 <= await bench.db.one(pg.value, late) < 0.3


async def test_retries_until_it_works(bench: Any) -> None:
    async def body(ctx: Any, claim: stq.Claim) -> None:
        if claim.attempt < 3:
            raise RuntimeError("not yet")

    await bench.start(bench.task(body))
    await bench.enqueue("1")
    await until(lambda: bench.is_done("1"))
    assert (await bench.row("1"))["attempt"] == 3
    assert metrics.value("stq_tasks_total", task=bench.name, outcome="retry") == 2


async def test_keeps_to_the_concurrency(bench: Any) -> None:
    gate = Gate()
    await bench.start(bench.task(gate, concurrency=3))
    for number in range(5):
        await bench.enqueue(str(number))
    await until(lambda: len(gate.began) == 3)
    assert await bench.states() == {"running": 3, "waiting": 2}
    assert metrics.value("stq_running", task=bench.name) == 3
    gate.may_end.set()
    await until(lambda: len(gate.ended) == 5)


async def test_keeps_long_task_by_heartbeat(bench: Any) -> None:
    gate = Gate()
    await bench.start(bench.task(gate))
    await bench.start(bench.task(gate))
    await bench.enqueue("1")
    await until(lambda: gate.began)
    lease_until = (await bench.row("1"))["lease_until"]

    async def extended_twice() -> bool:
        row = await bench.row("1")
        return bool((row["lease_until"] - lease_until).total_seconds() > 1.2)

    await until(extended_twice)
    gate.may_end.set()
    await until(lambda: bench.is_done("1"))
    assert gate.began == ["1"]


async def test_heartbeat_passes_over_a_task_that_is_finishing(bench: Any) -> None:
    """A transaction that holds its own row's lock must not cost the other tasks their leases."""
    may_commit = asyncio.Event()
    in_transaction = asyncio.Event()

    async def body(ctx: Any, claim: stq.Claim) -> None:
        if claim.task_id == "plain":
            await may_commit.wait()
            return
        async with bench.db.transaction() as tx:
            await claim.finish(tx)
            in_transaction.set()
            await may_commit.wait()

    await bench.start(bench.task(body))
    await bench.enqueue("locking")
    await bench.enqueue("plain")
    await in_transaction.wait()
    await until(lambda: bench.is_running("plain"))
    lease_until = (await bench.row("plain"))["lease_until"]

    async def extended() -> bool:
        return bool((await bench.row("plain"))["lease_until"] > lease_until)

    await until(extended, timeout_s=0.9)
    may_commit.set()
    await until(lambda: bench.is_done("plain"))
    assert (await bench.row("locking"))["state"] == "done"


async def test_ends_work_whose_lease_is_lost(bench: Any) -> None:
    gate = Gate()
    await bench.start(bench.task(gate))
    await bench.enqueue("1")
    await until(lambda: gate.began)
    await bench.db.run(
        "UPDATE stq.tasks SET lease_token = nextval('stq.lease_tokens'), lease_until = now() + interval '1 hour'"
    )
    await until(lambda: metrics.value("stq_tasks_total", task=bench.name, outcome="lost") == 1)
    gate.may_end.set()
    assert gate.ended == []
    assert (await bench.row("1"))["state"] == "running"


async def test_refuses_late_batch_finish(bench: Any) -> None:
    gate = Gate()
    await bench.start(bench.task(gate), pace=stq.Pace(heartbeat_s=3600))
    await bench.enqueue("1")
    await until(lambda: gate.began)
    await bench.db.run("UPDATE stq.tasks SET lease_token = nextval('stq.lease_tokens')")
    gate.may_end.set()
    await until(lambda: metrics.value("stq_tasks_total", task=bench.name, outcome="lost") == 1)
    assert (await bench.row("1"))["state"] == "running"


async def test_takes_over_from_the_dead(bench: Any) -> None:
    gate = Gate()
    gate.may_end.set()
    await bench.enqueue("1")
    await _leave_running(bench, attempt=1)
    await bench.start(bench.task(gate))
    await until(lambda: bench.is_done("1"))
    row = await bench.row("1")
    assert (row["attempt"], row["last_error"]) == (2, "lease_expired")


async def test_buries_what_kills_its_workers(bench: Any) -> None:
    gate = Gate()
    await bench.enqueue("1")
    await _leave_running(bench, attempt=3)
    await bench.start(bench.task(gate, max_attempts=3))
    await until(lambda: metrics.value("stq_dead_total", task=bench.name) == 1)
    assert (await bench.row("1"))["state"] == "dead"
    assert gate.began == []
    await until(lambda: metrics.value("stq_dead_rows", task=bench.name) == 1)


async def _leave_running(bench: Any, attempt: int) -> None:
    await bench.db.run(
        "UPDATE stq.tasks SET state = 'running', attempt = %(attempt)s, lease_until = now() - interval '1 second',"
        " lease_token = nextval('stq.lease_tokens'), started_at = now()",
        attempt=attempt,
    )


async def test_finishes_what_it_holds_when_stopped(bench: Any) -> None:
    gate = Gate()
    worker = await bench.start(bench.task(gate, concurrency=1))
    await bench.enqueue("1")
    await bench.enqueue("2")
    await until(lambda: gate.began)
    stopping = asyncio.create_task(worker.stop(grace_s=5))
    await until(lambda: bench.broker.subscription is None)
    gate.may_end.set()
    await stopping
    assert gate.began == ["1"]
    assert await bench.states() == {"done": 1, "waiting": 1}


async def test_hands_back_what_takes_too_long(bench: Any) -> None:
    gate = Gate()
    worker = await bench.start(bench.task(gate))
    await bench.enqueue("1")
    await until(lambda: gate.began)
    await worker.stop(grace_s=0.05)
    row = await bench.row("1")
    assert (row["state"], row["attempt"], row["lease_token"], row["last_error"]) == ("waiting", 0, None, None)
    assert gate.ended == []


async def test_measures_the_queue(bench: Any) -> None:
    gate = Gate()
    await bench.enqueue("1")
    await bench.enqueue("2")
    await bench.db.run("UPDATE stq.tasks SET due_at = now() - interval '5 minutes'")
    await bench.start(bench.task(gate, concurrency=1))
    await until(lambda: 299 < metrics.value("stq_queue_age_seconds", task=bench.name) < 330)
    gate.may_end.set()
    await until(lambda: metrics.value("stq_queue_age_seconds", task=bench.name) == 0)


async def test_stores_messages_before_acknowledging(bench: Any) -> None:
    gate = Gate()
    await bench.start(bench.task(gate))
    body = b'{"message_id": "m", "task_id": "1", "queue": "%s", "kwargs": {"word": "x"}, "more": 1}'
    deliveries = [await bench.broker.deliver(bench.name, body % bench.name.encode()) for _ in range(2)]
    await until(lambda: [each.settled for each in deliveries] == ["ack", "ack"])
    assert (await bench.row("1"))["kwargs"] == {"word": "x"}


async def test_refuses_worker_of_odd_tables(bench: Any) -> None:
    gate = Gate()
    task = bench.task(gate)
    with pytest.raises(ValueError, match="twice"):
        stq.Worker(bench.queue(), [task, task], [], None)
    with pytest.raises(ValueError, match="not a task of"):
        stq.Worker(bench.queue(), [bench.task(gate, name="other.word.say")], [], None)
    with pytest.raises(ValueError, match="schedule"):
        stq.Worker(bench.queue(), [task], [stq.every("other.word.say", 10)], None)


async def test_drains_a_backlog_after_one_wake(bench: Any) -> None:
    ran: list[str] = []

    async def body(ctx: Any, claim: stq.Claim) -> None:
        ran.append(claim.task_id)

    async with bench.db.transaction() as tx:
        for number in range(25):
            await bench.queue().enqueue(tx, bench.name, task_id=f"{number:02}")
    await bench.start(bench.task(body, concurrency=2), pace=stq.Pace(sweep_s=3600))
    await until(lambda: len(ran) == 25)
    assert ran == sorted(ran)


async def test_lets_a_finished_task_go_on(bench: Any) -> None:
    """Its lease is gone because it is done, not because it was lost."""
    gate = Gate()

    async def body(ctx: Any, claim: stq.Claim) -> None:
        async with bench.db.transaction() as tx:
            await claim.finish(tx)
        await gate(ctx, claim)

    other = Gate()
    name = f"{bench.service}.other.wait"
    await bench.start(bench.task(body), bench.task(other, name=name))
    await bench.enqueue("finished")
    await until(lambda: gate.began == ["finished"])
    # Its lease, extended by the same heartbeat, tells when that has been at work.
    await bench.enqueue("other", name=name)
    await until(lambda: other.began)
    lease_until = (await bench.row("other"))["lease_until"]

    async def has_beaten_twice() -> bool:
        row = await bench.row("other")
        return bool((row["lease_until"] - lease_until).total_seconds() > 0.4)

    await until(has_beaten_twice)
    gate.may_end.set()
    await until(lambda: gate.ended == ["finished"])
    other.may_end.set()
