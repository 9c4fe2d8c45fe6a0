"""The schedule and the housekeeping."""

from typing import Any

import pytest

from kit import pg, stq
from kit.stq import upkeep, upkeep_sql
from testkit.waiting import until


async def _nothing(ctx: Any, claim: stq.Claim) -> None:
    """Done at once."""


async def tick(bench: Any, period_s: float = 3600) -> list[str]:
    return await upkeep_sql.insert_ticks(bench.db, names=[bench.name], periods=[period_s])


async def test_ticks_once_across_workers(bench: Any) -> None:
    ran: list[str] = []

    async def body(ctx: Any, claim: stq.Claim) -> None:
        ran.append(claim.task_id)

    started = await bench.db.one(pg.value, "SELECT floor(extract(epoch FROM now()))::bigint")
    for _ in range(2):
        await bench.start(bench.task(body), schedule=[stq.every(bench.name, 1)])
    await until(lambda: len(ran) >= 3)
    assert len(set(ran)) == len(ran)
    ended = await bench.db.one(pg.value, "SELECT floor(extract(epoch FROM now()))::bigint")
    assert len(ran) <= ended - started + 1
    assert all(started <= int(task_id.removeprefix("tick-")) <= ended for task_id in ran)


async def test_adds_no_tick_while_one_waits_or_runs(bench: Any) -> None:
    assert await tick(bench) == [bench.name]
    await bench.db.run("UPDATE stq.tasks SET task_id = 'tick-1'")
    assert await tick(bench) == []
    await bench.db.run(
        "UPDATE stq.tasks SET state = 'running', lease_until = now(), lease_token = nextval('stq.lease_tokens')"
    )
    assert await tick(bench) == []
    await bench.db.run(
        "UPDATE stq.tasks SET state = 'dead', lease_until = NULL, lease_token = NULL, finished_at = now()"
    )
    assert await tick(bench) == [bench.name]


async def test_ticks_beside_tasks_of_the_same_name(bench: Any) -> None:
    await bench.enqueue("by hand")
    assert await tick(bench) == [bench.name]


async def finish_ago(bench: Any, task_id: str, ago: str, name: str = "") -> None:
    await bench.db.run(
        "INSERT INTO stq.tasks (queue, task_id, state, finished_at)"
        " VALUES (%(queue)s, %(task_id)s, 'done', now() - %(ago)s::interval)",
        queue=name or bench.name,
        task_id=task_id,
        ago=ago,
    )


def housekeeper(bench: Any, *schedule: stq.Every) -> upkeep.Upkeep:
    return upkeep.Upkeep(bench.db, [bench.task(_nothing)], schedule, lambda _: None, 1.0)


async def left(bench: Any) -> list[str]:
    found: list[str] = await bench.db.all(pg.value, "SELECT task_id FROM stq.tasks ORDER BY task_id")
    return found


async def test_forgets_done_tasks_after_a_week(bench: Any) -> None:
    await finish_ago(bench, "fresh", "6 days 23 hours")
    await finish_ago(bench, "old", "7 days 1 hour")
    await bench.db.run(
        "INSERT INTO stq.tasks (queue, task_id, state, finished_at, created_at)"
        " VALUES (%(queue)s, 'dead', 'dead', now() - interval '1 year', now() - interval '1 year')",
        queue=bench.name,
    )
    await housekeeper(bench).clean()
    assert await left(bench) == ["dead", "fresh"]


async def test_forgets_ticks_after_an_hour(bench: Any) -> None:
    await finish_ago(bench, "tick-1", "59 minutes")
    await finish_ago(bench, "tick-2", "61 minutes")
    await housekeeper(bench, stq.every(bench.name, 10)).clean()
    assert await left(bench) == ["tick-1"]


async def test_keeps_the_present_tick_of_a_long_period(bench: Any) -> None:
    """Else a daily task would run again each hour, since only its row says that today's was done."""
    await finish_ago(bench, "tick-1", "20 days")
    await finish_ago(bench, "tick-2", "61 days")
    await housekeeper(bench, stq.every(bench.name, 30 * 86400)).clean()
    assert await left(bench) == ["tick-1"]


async def test_forgets_more_than_a_batch(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "DELETE_BATCH", 10)
    monkeypatch.setattr(upkeep, "PAUSE_S", 0)
    for number in range(25):
        await finish_ago(bench, str(number), "8 days")
    await housekeeper(bench).clean()
    assert await left(bench) == []
