"""The rules of a ride and its ledger, as coupons and processing use them (MA-02..04, MA-87..92, MA-104)."""

import asyncio
import collections
from typing import Any

import pytest

FAR = {"lat": 55.79, "lon": 37.74}
NOWHERE_NEAR = {"lat": 55.7300, "lon": 37.5700}


async def _check(world: Any, **changed: Any) -> Any:
    body = {"promocode": "METRO-PASS-1", "yandex_uid": "4001", "stage": "offer"} | world.trip() | changed
    answer = await world.maas.ask("coupons", "POST", "/maas/v1/check-promocode", body)
    assert answer.status == 200, answer
    return answer.body


def _route(world: Any, **points: Any) -> dict[str, Any]:
    return {"route": {"a": world.home, "b": world.station, "intermediate": []} | points}


async def test_pays_for_a_ride_to_the_metro(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    assert await _check(world) == {"valid": True, "valid_any": True}
    assert await _check(world, **_route(world, a=world.station, b=world.home)) == {"valid": True, "valid_any": True}


async def test_names_the_first_broken_rule(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    cases = [
        ("payment_method_not_allowed", False, {"payment_method": "cash"}),
        ("intermediate_points_not_allowed", True, _route(world, intermediate=[world.crossroads])),
        ("distance_too_long", True, _route(world, a=FAR)),
        ("not_near_metro", True, _route(world, b=NOWHERE_NEAR)),
        ("destination_changed", True, {"planned_b": NOWHERE_NEAR}),
        ("price_limit_exceeded", True, {"price": {"amount": "1000.01", "currency": "RUB"}}),
        ("price_limit_exceeded", True, {"price": {"amount": "10.00", "currency": "USD"}}),
    ]
    for code, valid_any, change in cases:
        verdict = await _check(world, **change)
        assert (verdict["valid"], verdict["code"], verdict["valid_any"]) == (False, code, valid_any), change
        assert verdict["message"]


async def test_does_not_count_paid_waiting(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    price = {"price": {"amount": "1100.00", "currency": "RUB"}, "paid_waiting": {"amount": "100.00", "currency": "RUB"}}
    assert (await _check(world, **price))["valid"]


async def test_pays_for_its_owner_alone(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    for change in ({"yandex_uid": "4002"}, {"promocode": "UNKNOWN"}):
        verdict = await _check(world, **change)
        assert (verdict["code"], verdict["valid_any"]) == ("subscription_not_active", False)


async def test_pays_no_more_when_it_is_over(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    await world.pass_time(days=31)
    assert (await _check(world))["code"] == "subscription_not_active"
    assert (await world.hold()).code == "subscription_not_active"


async def test_holds_uses_and_reports_a_ride(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    held = await world.hold()
    assert (held.status, held.body["state"]) == (200, "held")
    assert held.body["rides"] == {"total": 10, "used": 0, "held": 1, "left": 9}
    used = await world.complete()
    assert (used.body["state"], used.body["code"]) == ("used", None)
    assert used.body["rides"] == {"total": 10, "used": 1, "held": 0, "left": 9}
    assert await world.maas.run_task("maas.ride.report") == ["done"]
    told = world.neighbours.vtb.calls("POST", "/rides/taxi")[0].json
    assert (told["ride_id"], told["pass_id"], told["maas_user_id"], told["taxi_rides_left"]) == (
        "order-1",
        "pass-1",
        "user-1",
        9,
    )
    assert told["cost"] == {"amount": "180.00", "currency": "RUB"}


async def test_answers_repeats_of_the_ledger_the_same(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    assert (await world.hold()).body == (await world.hold()).body
    assert (await world.complete()).body == (await world.complete()).body
    assert (await world.info())["rides"]["used"] == 1


async def test_gives_a_ride_back_that_broke_a_rule_on_the_way(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    await world.hold()
    ended = await world.complete(
        planned_b=world.station, route={"a": world.home, "b": NOWHERE_NEAR, "intermediate": []}
    )
    assert (ended.status, ended.body["state"], ended.body["code"]) == (200, "released", "not_near_metro")
    assert ended.body["rides"]["left"] == 10
    assert await world.maas.run_task("maas.ride.report") == []


async def test_gives_a_canceled_order_back(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    await world.hold()
    for _ in range(2):
        released = await world.maas.ask("processing", "POST", "/maas/v1/rides/release", {"order_id": "order-1"})
        assert (released.body["state"], released.body["rides"]["left"]) == ("released", 10)
    assert (await world.hold()).code == "ride_released"


async def test_knows_no_unknown_ride(world: Any) -> None:
    await world.stations_loaded()
    assert (await world.complete("nowhere")).code == "ride_not_found"


async def test_lets_exactly_one_of_64_parallel_holds_take_the_last_ride(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode(rides=1)
    answers = await asyncio.gather(*(world.hold(f"order-{number}") for number in range(64)))
    outcomes = collections.Counter((answer.status, answer.code) for answer in answers)
    assert outcomes == {(200, None): 1, (409, "no_rides_left"): 63}
    assert (await world.info())["rides"] == {"total": 10, "used": 9, "held": 1, "left": 0}


async def test_takes_one_ride_for_64_parallel_holds_of_one_order(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    answers = await asyncio.gather(*(world.hold("order-1") for _ in range(64)))
    assert {answer.status for answer in answers} == {200}
    assert (await world.info())["rides"]["held"] == 1


@pytest.mark.parametrize(
    ("end", "place"),
    [
        ("complete", "maas.rides.actions.complete:after_commit"),
        ("release", "maas.rides.queries.mark_released:after_commit"),
    ],
)
async def test_does_not_know_yet_the_ride_that_is_being_held(world: Any, end: str, place: str) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    body = {"order_id": "order-1"} | (world.trip() if end == "complete" else {})
    arrives = "INSERT INTO subscriptions.rides (order_id, pass_id, state) VALUES ('order-1', 'pass-1', 'held')"
    with world.meanwhile(place, arrives):
        answer = await world.maas.ask("processing", "POST", f"/maas/v1/rides/{end}", body)
    assert (answer.status, answer.code) == (404, "ride_not_found")
    again = await world.maas.ask("processing", "POST", f"/maas/v1/rides/{end}", body)
    assert (again.status, again.body["state"]) == (200, {"complete": "used", "release": "released"}[end])


async def test_counts_the_ride_that_the_order_itself_holds(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode(rides=1)
    assert (await world.hold()).status == 200
    assert (await _check(world, order_id="order-1"))["valid"]
    assert (await _check(world, order_id="order-1", stage="completion"))["valid"]
    assert (await _check(world, order_id="order-2"))["code"] == "no_rides_left"


@pytest.mark.parametrize(
    "change",
    [
        {"price": {"amount": 180, "currency": "RUB"}},
        {"price": {"amount": "180.001", "currency": "RUB"}},
        {"price": {"amount": "-1", "currency": "RUB"}},
        {"paid_waiting": {"amount": "181.00", "currency": "RUB"}},
        {"route": {"a": None}},
        {"stage": "later"},
        {"yandex_uid": "not-a-uid"},
    ],
)
async def test_refuses_malformed_trips(world: Any, change: dict[str, Any]) -> None:
    body = {"promocode": "METRO", "yandex_uid": "4001", "stage": "offer"} | world.trip() | change
    answer = await world.maas.ask("coupons", "POST", "/maas/v1/check-promocode", body)
    assert (answer.status, answer.code) == (400, "request_invalid")
