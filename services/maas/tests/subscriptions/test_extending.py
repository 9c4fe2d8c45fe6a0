"""A slow payment keeps its reservation, so often and no oftener; a cancellation is for good (MX-20, MA-48)."""

import asyncio
import datetime
from typing import Any

import pytest


async def _extend(world: Any) -> Any:
    return await world.partner("subscription/extend", {"pass_id": "pass-1"})


async def test_keeps_a_reservation_three_times(world: Any) -> None:
    await world.reserved()
    for _ in range(3):
        await world.pass_time(minutes=29)
        answer = await _extend(world)
        assert (answer.status, answer.body["status"]) == (200, "reserved")
        until = datetime.datetime.fromisoformat(answer.body["reserved_until"])
        assert datetime.timedelta(minutes=29) < until - datetime.datetime.now(datetime.UTC)
    refused = await _extend(world)
    assert (refused.status, refused.code, refused.body["details"]["extensions"]) == (409, "extension_limit_reached", 3)
    await world.pass_time(minutes=29)
    assert (await world.partner("subscription/activate", {"pass_id": "pass-1"})).body["status"] == "activated"


async def test_keeps_it_three_times_whoever_asks_at_once(world: Any) -> None:
    await world.reserved()
    answers = await asyncio.gather(*(_extend(world) for _ in range(16)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [409] * 13


async def test_never_shortens_a_reservation(world: Any) -> None:
    await world.reserved()
    before = (await world.info())["reserved_until"]
    await world.configured(MAAS_RESERVE_TTL_S=60, MAAS_EXTENSIONS=1)
    assert (await _extend(world)).body["reserved_until"] == before
    assert (await _extend(world)).code == "extension_limit_reached"


@pytest.mark.parametrize(
    ("moves", "days", "code"),
    [
        (["activate"], 0, "subscription_already_activated"),
        (["activate"], 31, "subscription_expired"),
        (["cancel"], 0, "subscription_canceled"),
        ([], 1, "subscription_canceled"),
    ],
)
async def test_keeps_only_what_waits_for_its_payment(world: Any, moves: list[str], days: int, code: str) -> None:
    await world.reserved()
    for move in moves:
        await world.partner(f"subscription/{move}", {"pass_id": "pass-1"})
    await world.pass_time(days=days)
    answer = await _extend(world)
    assert (answer.status, answer.code) == (409, code)


async def test_knows_no_unknown_pass(world: Any) -> None:
    assert (await _extend(world)).code == "subscription_not_found"


@pytest.mark.parametrize(("move", "query"), [("extend", "mark_extended"), ("cancel", "mark_canceled")])
async def test_does_not_know_yet_what_is_being_reserved(world: Any, move: str, query: str) -> None:
    await world.reserved()
    await world.execute("CREATE TABLE public.on_its_way AS SELECT * FROM subscriptions.subscriptions")
    await world.execute("DELETE FROM subscriptions.subscriptions")
    arrives = "INSERT INTO subscriptions.subscriptions SELECT * FROM public.on_its_way"
    with world.meanwhile(f"maas.subscriptions.queries.{query}:after_commit", arrives):
        answer = await world.partner(f"subscription/{move}", {"pass_id": "pass-1"})
    assert (answer.status, answer.code) == (404, "subscription_not_found")
    assert (await world.info())["status"] == "reserved"
    assert (await world.partner(f"subscription/{move}", {"pass_id": "pass-1"})).status == 200


@pytest.mark.parametrize("is_written", [False, True])
async def test_cancels_for_good_what_time_has_ended(world: Any, is_written: bool) -> None:
    await world.reserved()
    await world.pass_time(minutes=31)
    if is_written:
        await world.runs("maas.subscriptions.settle")
    canceled = await world.partner("subscription/cancel", {"pass_id": "pass-1", "reason": "payment_failed"})
    assert canceled.body["status"] == "canceled"
    late = await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert (late.status, late.code) == (409, "subscription_canceled")


async def test_lets_nobody_give_a_reason_of_its_own(world: Any) -> None:
    await world.reserved()
    for reason in ("reservation_expired", "revoked_by_support"):
        answer = await world.partner("subscription/cancel", {"pass_id": "pass-1", "reason": reason})
        assert (answer.status, answer.code) == (400, "request_invalid")


async def test_forgets_what_ended_long_ago_with_its_rides(world: Any) -> None:
    await world.with_promocode(rides=8)
    await world.reserved("pass-2", "user-2")
    await world.pass_time(days=30, minutes=1)
    await world.runs("maas.subscriptions.settle")
    await world.partner("subscription/reserve", world.sale("pass-3"))
    await world.pass_time(days=1094)
    assert await world.runs("maas.subscriptions.purge") == ["done"]
    assert (await world.info())["status"] == "expired"
    await world.pass_time(days=2)
    assert await world.runs("maas.subscriptions.purge") == ["done"]
    left = await world.maas.context.db.all(dict, "SELECT pass_id FROM subscriptions.subscriptions")
    assert left == [{"pass_id": "pass-3"}]
    assert await world.maas.context.db.all(dict, "SELECT order_id FROM subscriptions.rides") == []
