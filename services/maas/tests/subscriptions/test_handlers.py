"""The partner moves subscriptions (MX-15..20, MX-24, MA-40..51, MA-97, MA-103)."""

import asyncio
import collections
import datetime
from typing import Any

import pytest


async def test_reserves_before_the_payment(world: Any) -> None:
    await world.registered()
    answer = await world.partner("subscription/reserve", world.sale())
    assert answer.status == 200
    assert answer.body["status"] == "reserved"
    reserved_until = datetime.datetime.fromisoformat(answer.body["reserved_until"])
    left = reserved_until - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(minutes=29) < left < datetime.timedelta(minutes=31)


async def test_answers_a_repeated_reserve_the_same(world: Any) -> None:
    await world.registered()
    first = await world.partner("subscription/reserve", world.sale())
    assert (await world.partner("subscription/reserve", world.sale())).body == first.body


async def test_answers_a_repeated_reserve_even_after_the_tariff_was_withdrawn(world: Any) -> None:
    await world.registered()
    sale = world.sale()
    await world.partner("subscription/reserve", sale)
    await world.partner("subscription/activate", {"pass_id": "pass-1"})
    again = await world.partner("subscription/reserve", sale)
    assert (again.status, again.body["status"]) == (200, "activated")


async def test_refuses_a_second_subscription(world: Any) -> None:
    await world.reserved()
    answer = await world.partner("subscription/reserve", world.sale("pass-2"))
    assert (answer.status, answer.code) == (409, "active_subscription_exists")


async def test_refuses_a_pass_id_of_another_sale(world: Any) -> None:
    await world.reserved()
    await world.registered("user-2", "+79161234568")
    answer = await world.partner("subscription/reserve", world.sale("pass-1", "user-2"))
    assert (answer.status, answer.code) == (409, "pass_id_conflict")


async def test_refuses_conditions_that_were_not_agreed(world: Any) -> None:
    await world.registered()
    for change in ({"taxi_rides": 11}, {"duration_days": 31}, {"price": {"amount": "1.00", "currency": "RUB"}}):
        answer = await world.partner("subscription/reserve", world.sale(**change))
        assert (answer.status, answer.code) == (409, "tariff_mismatch"), change


async def test_refuses_an_unknown_person(world: Any) -> None:
    answer = await world.partner("subscription/reserve", world.sale(maas_user_id="nobody"))
    assert (answer.status, answer.code) == (404, "maas_user_not_found")


async def test_lets_exactly_one_of_64_parallel_reserves_win(world: Any) -> None:
    await world.registered()
    answers = await asyncio.gather(
        *(world.partner("subscription/reserve", world.sale(f"pass-{number}")) for number in range(64))
    )
    outcomes = collections.Counter((answer.status, answer.code) for answer in answers)
    assert outcomes == {(200, None): 1, (409, "active_subscription_exists"): 63}


async def test_gives_64_parallel_repeats_one_subscription(world: Any) -> None:
    await world.registered()
    answers = await asyncio.gather(*(world.partner("subscription/reserve", world.sale()) for _ in range(64)))
    assert {(answer.status, str(answer.body)) for answer in answers} == {(200, str(answers[0].body))}


async def test_counts_the_days_from_the_activation(world: Any) -> None:
    await world.reserved()
    await world.pass_time(minutes=20)
    answer = await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert (answer.status, answer.body["status"]) == (200, "activated")
    left = datetime.datetime.fromisoformat(answer.body["expiration_datetime"]) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=29, hours=23) < left <= datetime.timedelta(days=30)
    again = await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert again.body == answer.body


async def test_orders_no_promo_code_for_an_unknown_owner(world: Any) -> None:
    await world.activated()
    assert (await world.info())["promocode_status"] == "none"
    assert await world.maas.run_task("maas.promocode.issue") == []


async def test_cancels_a_reservation_for_good(world: Any) -> None:
    await world.reserved()
    answer = await world.partner("subscription/cancel", {"pass_id": "pass-1", "reason": "payment_failed"})
    assert (answer.status, answer.body) == (200, {"pass_id": "pass-1", "status": "canceled"})
    assert (await world.partner("subscription/cancel", {"pass_id": "pass-1"})).body == answer.body
    late = await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert (late.status, late.code, late.body["details"]) == (409, "subscription_canceled", {"status": "canceled"})
    again = await world.partner("subscription/reserve", world.sale())
    assert (again.status, again.code) == (409, "pass_id_conflict")
    other = await world.partner("subscription/reserve", world.sale("pass-2"))
    assert other.status == 200


async def test_does_not_cancel_what_is_paid(world: Any) -> None:
    await world.activated()
    answer = await world.partner("subscription/cancel", {"pass_id": "pass-1"})
    assert (answer.status, answer.code) == (409, "subscription_already_activated")


@pytest.mark.parametrize("path", ["subscription/activate", "subscription/cancel", "subscription/info"])
async def test_knows_no_unknown_pass(world: Any, path: str) -> None:
    answer = await world.partner(path, {"pass_id": "nowhere"})
    assert (answer.status, answer.code) == (404, "subscription_not_found")


async def test_shows_an_overdue_reservation_as_canceled_before_any_task_ran(world: Any) -> None:
    await world.reserved()
    await world.pass_time(minutes=31)
    info = await world.info()
    assert (info["status"], info["cancel_reason"]) == ("canceled", "reservation_expired")
    assert (await world.partner("subscription/reserve", world.sale("pass-2"))).status == 200


async def test_honours_a_payment_that_came_late(world: Any) -> None:
    await world.reserved()
    await world.pass_time(minutes=31)
    await _settle(world)
    answer = await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert (answer.status, answer.body["status"]) == (200, "activated")


async def test_refuses_a_late_payment_when_another_subscription_lives(world: Any) -> None:
    await world.reserved()
    await world.pass_time(minutes=31)
    await world.partner("subscription/reserve", world.sale("pass-2"))
    answer = await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert (answer.status, answer.code) == (409, "active_subscription_exists")


async def test_is_over_when_its_days_are(world: Any) -> None:
    await world.activated()
    await world.pass_time(days=30, minutes=1)
    assert (await world.info())["status"] == "expired"
    assert (await world.partner("subscription/activate", {"pass_id": "pass-1"})).code == "subscription_expired"
    assert (await world.partner("subscription/reserve", world.sale("pass-2"))).status == 200


async def test_writes_down_what_time_has_done(world: Any) -> None:
    await world.activated("pass-1", "user-1")
    await world.reserved("pass-2", "user-2")
    await world.pass_time(days=31)
    await _settle(world)
    rows = await world.maas.context.db.all(dict, "SELECT status FROM subscriptions.subscriptions ORDER BY pass_id")
    assert [row["status"] for row in rows] == ["expired", "canceled"]


async def test_shows_a_subscription_both_ways(world: Any) -> None:
    await world.activated()
    by_pass = await world.maas.ask("maas-authproxy", "GET", "/maas/v1/subscription/info?pass_id=pass-1")
    by_user = await world.partner("subscription/info", {"maas_user_id": "user-1"})
    assert by_pass.body == by_user.body
    assert by_pass.body["rides"] == {"total": 10, "used": 0, "held": 0, "left": 10}
    assert by_pass.body["tariff"] == world.tariff


async def test_wants_one_way_to_name_a_subscription(world: Any) -> None:
    for query in ("", "?pass_id=a&maas_user_id=b"):
        answer = await world.maas.ask("maas-authproxy", "GET", f"/maas/v1/subscription/info{query}")
        assert (answer.status, answer.code) == (400, "request_invalid")


async def test_shows_the_states_alone(world: Any) -> None:
    await world.activated()
    answer = await world.maas.ask("maas-authproxy", "GET", "/maas/v1/subscription/status?pass_id=pass-1")
    assert set(answer.body) == {"pass_id", "status", "promocode_status", "updated_at"}


async def test_is_for_the_partner_alone(world: Any) -> None:
    answer = await world.maas.ask("coupons", "POST", "/maas/v1/subscription/reserve", world.sale())
    assert (answer.status, answer.code) == (403, "caller_not_allowed")
    answer = await world.maas.ask(None, "POST", "/maas/v1/subscription/reserve", world.sale())
    assert (answer.status, answer.code) == (401, "ticket_invalid")


async def _settle(world: Any) -> None:
    async with world.maas.context.db.transaction() as tx:
        await world.maas.context.queue.enqueue(tx, "maas.subscriptions.settle", task_id="now")
    assert await world.maas.run_task("maas.subscriptions.settle") == ["done"]
