"""Rides by metro: the bank reports them through the edge until maas has answered (MX-04, MA-11)."""

from typing import Any

from testkit import waiting

DOWN = (503, {"code": "unavailable", "message": "-"})
RIDE = {"pass_id": "p", "maas_user_id": "vtb-1", "station": "Парк культуры", "at": "2026-11-20T10:00:00+00:00"}
METRO = "/maas-authproxy/v1/rides/metro"


async def test_tells_maas_of_a_ride_by_metro(sandbox: Any, maas: Any) -> None:
    maas.answers[METRO] = {"new": 1, "known": 0}
    first = await sandbox.ok("POST", "/vtb/_metro_rides", None, json=RIDE)
    again = await sandbox.ok("POST", "/vtb/_metro_rides", None, json=RIDE)
    assert first == again == {"ride_id": first["ride_id"], "new": 1, "known": 0}
    assert [call.body for call in maas.to(METRO)] == [{"rides": [RIDE | {"ride_id": first["ride_id"]}]}] * 2
    assert maas.seen[0].caller == "vtb-1.key"


async def test_tells_maas_of_a_ride_by_metro_later(sandbox: Any, maas: Any) -> None:
    maas.answer(METRO, *DOWN, times=3)
    status, answer = await sandbox.call("POST", "/vtb/_metro_rides", None, json=RIDE)
    assert (status, answer["code"]) == (502, "maas_unavailable")
    ride = sandbox.world.store.state.metro_rides[answer["details"]["ride_id"]]
    await waiting.until(lambda: not ride.is_owed)
    [shown] = (await sandbox.ok("GET", "/vtb/_metro_rides?pass_id=p", None))["rides"]
    assert shown == RIDE | {"ride_id": ride.ride_id, "is_owed": False}


async def test_owes_a_ride_while_its_key_is_not_taken_but_not_a_refused_one(sandbox: Any, maas: Any) -> None:
    maas.answer(METRO, 401, {"code": "api_key_invalid", "message": "-"})
    assert (await sandbox.call("POST", "/vtb/_metro_rides", None, json=RIDE))[0] == 401
    [ride] = sandbox.world.store.state.metro_rides.values()
    await waiting.until(lambda: not ride.is_owed)
    maas.answer(METRO, 400, {"code": "bad_request", "message": "-"})
    assert (await sandbox.call("POST", "/vtb/_metro_rides", None, json=RIDE))[0] == 400
    assert not ride.is_owed
    assert len(maas.to(METRO)) == 3
