"""Statuses are compared with the bank's each day, every one of them, once."""

import asyncio
import collections
from typing import Any

from kit import metrics
from maas.reconciliation import actions
from testkit import neighbours as mocks
from testkit.waiting import until

TASK = "maas.reconciliation.compare"


async def _sold(world: Any, count: int, status: str = "activated", *, first: int = 0) -> None:
    await world.execute(
        """INSERT INTO subscriptions.subscriptions
               (pass_id, maas_user_id, tariff_id, price, currency, taxi_rides, duration_days, promocode_series_id,
                status, cancel_reason, canceled_at, expired_at, reserved_until, expiration_datetime)
           SELECT format('pass-%%s', lpad(n::text, 4, '0')), format('user-%%s', n), 't', 1, 'RUB', 1, 1, 's',
                  %(status)s, CASE WHEN %(status)s = 'canceled' THEN 'x' END,
                  CASE WHEN %(status)s = 'canceled' THEN now() END, CASE WHEN %(status)s = 'expired' THEN now() END,
                  now() + interval '1 hour', now() + interval '99 days'
           FROM generate_series(%(first)s::int, %(last)s::int) AS n""",
        status=status,
        first=first,
        last=first + count - 1,
    )


def _bank(world: Any, statuses: dict[str, str | None], other: str = "activated") -> mocks.Mock:
    """A bank that has these statuses, None for a subscription that it does not know, and `other` for the rest."""

    def answer(call: mocks.Call) -> mocks.Reply:
        status = statuses.get(call.args["pass_id"], other)
        if status is None:
            return mocks.Reply({"code": "not_found", "message": "No."}, 404)
        return mocks.Reply({"pass_id": call.args["pass_id"], "status": status})

    mock: mocks.Mock = world.neighbours.vtb.on("GET", "/subscriptions/{pass_id}", answer)
    return mock


async def _report(world: Any) -> Any:
    return await actions.get_report(db=world.maas.context.db, day=None)


async def test_finds_what_the_bank_has_otherwise(world: Any) -> None:
    await _sold(world, 3)
    await _sold(world, 1, "reserved", first=3)
    await _sold(world, 1, "expired", first=4)
    await _sold(world, 1, "canceled", first=5)
    bank = _bank(world, {"pass-0001": "canceled", "pass-0002": None, "pass-0004": "expired", "pass-0005": "canceled"})
    assert await world.runs(TASK) == ["done"]
    report = await _report(world)
    found = [(each.pass_id, each.kind, each.ours, each.theirs) for each in report.differences]
    assert found == [
        ("pass-0002", "missing", "activated", None),
        ("pass-0001", "status", "activated", "canceled"),
        ("pass-0003", "status", "reserved", "activated"),
    ]
    assert (report.comparison.state, report.comparison.compared, report.totals) == (
        "finished",
        6,
        {"missing": 1, "status": 2},
    )
    assert {call.args["pass_id"] for call in bank.calls} == {f"pass-000{number}" for number in range(6)}


async def test_shows_how_many_differ_in_the_metrics(world: Any) -> None:
    await _sold(world, 2)
    _bank(world, {"pass-0001": "canceled"})
    assert await world.runs(TASK) == ["done"]
    assert await world.runs("maas.figures.count") == ["done"]
    await until(lambda: metrics.value("maas_vtb_differences", kind="status") == 1)


async def test_leaves_alone_what_ended_long_ago(world: Any) -> None:
    await _sold(world, 2, "expired")
    await world.pass_time(days=8)
    await _sold(world, 1, first=2)
    bank = _bank(world, {})
    assert await world.runs(TASK) == ["done"]
    assert [call.args["pass_id"] for call in bank.calls] == ["pass-0002"]


async def test_judges_by_what_time_has_done(world: Any) -> None:
    await _sold(world, 1)
    await world.pass_time(days=100)
    _bank(world, {}, other="expired")
    assert await world.runs(TASK) == ["done"]
    assert (await _report(world)).totals == {}


async def _compare(world: Any) -> Any:
    ctx = world.maas.context
    return await actions.compare(db=ctx.db, vtb=ctx.vtb, limits={"parallel": 4, "ended_days": 7}, keep_days=365)


async def test_goes_on_where_it_was_stopped(world: Any) -> None:
    await _sold(world, 250)
    bank = _bank(world, {"pass-0007": None, "pass-0201": "expired"})
    stuck = world.neighbours.vtb.on("GET", "/subscriptions/pass-0150", fault="silent")
    stopped = asyncio.create_task(_compare(world))
    await until(lambda: stuck.calls)
    stopped.cancel()
    await asyncio.gather(stopped, return_exceptions=True)
    halfway = await _report(world)
    assert (halfway.comparison.state, halfway.comparison.compared, halfway.totals) == ("running", 100, {"missing": 1})
    bank.calls.clear()
    stuck.times = 0
    assert await world.runs(TASK) == ["done"]
    asked = collections.Counter(call.args["pass_id"] for call in bank.calls)
    assert asked == {f"pass-{number:04}": 1 for number in range(100, 250)} | {"pass-0007": 1, "pass-0201": 2}
    whole = await _report(world)
    assert (whole.comparison.state, whole.comparison.compared, whole.totals) == (
        "finished",
        250,
        {"missing": 1, "status": 1},
    )


async def test_asks_no_more_at_once_than_it_may(world: Any) -> None:
    await _sold(world, 40)
    asking: list[int] = [0, 0]

    async def answer(_: mocks.Call) -> dict[str, str]:
        asking[0] += 1
        asking[1] = max(asking)
        await asyncio.sleep(0.005)
        asking[0] -= 1
        return {"status": "activated"}

    world.neighbours.vtb.on("GET", "/subscriptions/{pass_id}", answer)
    assert await world.runs(TASK) == ["done"]
    assert asking == [0, 4]


async def test_counts_each_subscription_once_when_two_compare(world: Any) -> None:
    await _sold(world, 150)
    _bank(world, {"pass-0001": None})
    ctx = world.maas.context
    await actions.order(db=ctx.db, queue=ctx.queue, limits={"ended_days": 7})
    done = await asyncio.gather(_compare(world), _compare(world))
    report = await _report(world)
    assert (report.comparison.state, report.comparison.compared, report.totals) == ("finished", 150, {"missing": 1})
    assert [each for each in done if each] == [report.comparison]


async def test_compares_once_a_day_and_again_the_next(world: Any) -> None:
    await _sold(world, 1)
    bank = _bank(world, {})
    for _ in range(2):
        assert await world.runs(TASK) == ["done"]
    assert len(bank.calls) == 1
    await world.execute("UPDATE subscriptions.comparisons SET day = day - 1")
    assert await world.runs(TASK) == ["done"]
    assert len(bank.calls) == 2


async def test_does_not_take_a_move_under_way_for_a_difference(world: Any) -> None:
    await _sold(world, 1)

    async def answer(_: mocks.Call) -> dict[str, str]:
        await world.execute("UPDATE subscriptions.subscriptions SET status = 'expired', expired_at = now()")
        return {"status": "expired"}

    bank = world.neighbours.vtb.on("GET", "/subscriptions/{pass_id}", answer)
    assert await world.runs(TASK) == ["done"]
    assert ((await _report(world)).totals, len(bank.calls)) == ({}, 2)


async def test_goes_on_past_an_answer_that_makes_no_sense(world: Any) -> None:
    await _sold(world, 3)
    _bank(world, {})
    world.neighbours.vtb.on("GET", "/subscriptions/pass-0001", fault="garbage")
    assert await world.runs(TASK) == ["done"]
    report = await _report(world)
    assert (report.comparison.state, report.totals) == ("finished", {"unanswered": 1})


async def test_waits_for_a_bank_that_is_away(world: Any) -> None:
    await _sold(world, 3)
    world.neighbours.vtb.on("*", "/{rest}", {"code": "maintenance", "message": ""}, status=503)
    assert await world.runs(TASK) == ["retry"]
    report = await _report(world)
    assert (report.comparison.state, report.comparison.compared, report.totals) == ("running", 0, {})


async def test_begins_anew_after_one_that_nobody_ended(world: Any) -> None:
    await _sold(world, 1)
    await world.execute(
        """INSERT INTO subscriptions.comparisons (day, planned, started_at)
           VALUES ((now() AT TIME ZONE 'UTC')::date - 1, 9, now() - interval '21 hours'),
                  ('2020-01-01', 9, now() - interval '9 years')"""
    )
    _bank(world, {})
    assert await world.runs(TASK) == ["done"]
    days = await world.maas.context.db.all(dict, "SELECT compared FROM subscriptions.comparisons ORDER BY day")
    assert [row["compared"] for row in days] == [0, 1]
