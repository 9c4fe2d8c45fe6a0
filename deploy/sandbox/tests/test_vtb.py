"""VTB: people, tariffs, subscriptions and rides."""

from typing import Any

RIDE = {
    "ride_id": "order-1",
    "pass_id": "pass-1",
    "maas_user_id": "vtb-1",
    "cost": {"amount": "180.00", "currency": "RUB"},
    "finished_at": "2026-11-20T10:00:00+00:00",
    "taxi_rides_left": 9,
}


async def test_names_a_person_once_per_phone(sandbox: Any) -> None:
    first = await sandbox.ok("POST", "/vtb/users", json={"phone": "+79161234567"})
    assert await sandbox.ok("POST", "/vtb/users", json={"phone": "+79161234567"}) == first
    assert await sandbox.ok("POST", "/vtb/_users", None, json={"phone": "+79161234567"}) == first
    assert await sandbox.ok("POST", "/vtb/users", json={"phone": "+79160000000"}) != first


async def test_sells_two_tariffs(sandbox: Any) -> None:
    tariffs = (await sandbox.ok("GET", "/vtb/tariffs"))["tariffs"]
    assert [tariff["tariff_id"] for tariff in tariffs] == ["metro-taxi-10", "metro-taxi-20"]
    assert tariffs[0] == {
        "tariff_id": "metro-taxi-10",
        "price": {"amount": "2990.00", "currency": "RUB"},
        "taxi_rides": 10,
        "duration_days": 30,
    }


async def test_sells_to_people_it_knows(sandbox: Any) -> None:
    known = await sandbox.ok("POST", "/vtb/users", json={"phone": "+79161234567"})
    assert (await sandbox.call("GET", f"/vtb/tariffs?maas_user_id={known['maas_user_id']}"))[0] == 200
    assert (await sandbox.call("GET", "/vtb/tariffs?maas_user_id=stranger"))[0] == 404


async def test_says_what_the_bank_decided_about_a_subscription(sandbox: Any) -> None:
    assert (await sandbox.call("GET", "/vtb/subscriptions/pass-1"))[0] == 404
    await sandbox.ok("PUT", "/vtb/_subscriptions/pass-1", None, json={"status": "activated"})
    assert await sandbox.ok("GET", "/vtb/subscriptions/pass-1") == {"pass_id": "pass-1", "status": "activated"}


async def test_doubles_no_ride(sandbox: Any) -> None:
    for _ in range(2):
        assert await sandbox.ok("POST", "/vtb/rides/taxi", json=RIDE) == {"accepted": True}
    await sandbox.ok("POST", "/vtb/rides/taxi", json=RIDE | {"ride_id": "order-2", "pass_id": "pass-2"})
    assert (await sandbox.ok("GET", "/vtb/_rides?pass_id=pass-1", None))["rides"] == [RIDE]
    assert len((await sandbox.ok("GET", "/vtb/_rides", None))["rides"]) == 2


async def test_refuses_the_same_ride_told_differently(sandbox: Any) -> None:
    await sandbox.ok("POST", "/vtb/rides/taxi", json=RIDE)
    status, answer = await sandbox.call("POST", "/vtb/rides/taxi", json=RIDE | {"taxi_rides_left": 8})
    assert (status, answer["code"]) == (409, "ride_conflict")
