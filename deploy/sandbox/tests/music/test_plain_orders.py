"""Rides without a promo code: events numbered, told as often as it takes, and out of turn on request."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from testkit import waiting

ORDERS = "/processing/plain_orders"
CREATE, CLOSE = (f"/internal/music/v1/player/{verb}" for verb in ("create", "close"))


async def do(ride: Any, verb: str, **body: Any) -> Any:
    return await ride.sandbox.ok("POST", f"{ORDERS}/{ride.order_id}/{verb}", None, json=body)


async def shown(ride: Any) -> Any:
    return await ride.sandbox.ok("GET", f"{ORDERS}/{ride.order_id}", None)


async def habits(sandbox: Any, **changes: Any) -> None:
    await sandbox.ok("PUT", "/processing/_events", None, json=changes)


async def paid(ride: Any) -> Any:
    async def is_paid() -> bool:
        return bool((await shown(ride))["owed"] == 0)

    await waiting.until(is_paid)


def told(ride: Any) -> list[tuple[str, int]]:
    calls = [call for call in ride.music.seen if call[1] in (CREATE, CLOSE)]
    return [(path.rsplit("/", 1)[1], body["event_seq"]) for _, path, _, _, body in calls]


async def test_tells_music_of_the_driver(ride: Any) -> None:
    [(caller, _, _, _, body)] = ride.music.to(CREATE)
    assert caller == "processing"
    assert (body["order_id"], body["event_seq"]) == (ride.order_id, 1)
    assert body["driver"] == {"park_id": "demo-park", "driver_profile_id": "driver-1", "application_version": "9.70"}
    passenger = body["passenger"]
    assert (passenger["yandex_uid"], passenger["flags"]) == ("4001", ["portal", "ya-plus"])
    assert set(passenger) == {"yandex_uid", "flags", "phone_id", "application", "application_version", "city"}
    order = await shown(ride)
    assert (order["status"], order["owed"]) == ("assigned", 0)
    assert order["music"] == {"status": 200, "player_id": ride.player.player_id, "reason": None}


async def test_tells_music_of_each_event_in_turn(ride: Any) -> None:
    await ride.sandbox.ok("POST", "/_drivers", None, json={"driver_profile_id": "driver-2"})
    for _ in range(2):
        assert (await do(ride, "driver", driver_profile_id="driver-2"))["driver_profile_id"] == "driver-2"
    assert (await do(ride, "transporting"))["status"] == "transporting"
    for _ in range(2):
        assert (await do(ride, "finish", reason="canceled"))["status"] == "finished"
    assert told(ride) == [("create", 1), ("create", 2), ("close", 3)]
    assert ride.music.to(CLOSE)[0][4] == {"order_id": ride.order_id, "event_seq": 3, "reason": "canceled"}
    status, answer = await ride.sandbox.call("POST", f"{ORDERS}/{ride.order_id}/transporting", None)
    assert (status, answer["code"]) == (409, "order_finished")


async def test_owes_what_music_does_not_answer(ride: Any) -> None:
    ride.music.answer(CLOSE, 503, times=4)
    assert (await do(ride, "finish"))["owed"] == 1
    await paid(ride)
    bodies = [call[4] for call in ride.music.to(CLOSE)]
    assert len(bodies) == 5
    assert all(body == bodies[0] for body in bodies)
    assert ride.player.is_closed


async def test_tells_a_refused_event_once(ride: Any) -> None:
    ride.music.answer(CLOSE, 400, "invalid")
    assert (await do(ride, "finish"))["owed"] == 0
    found = (await ride.sandbox.ok("GET", f"/processing/_events?order_id={ride.order_id}", None))["events"]
    assert [event["answer"]["status"] for event in found] == [200, 400]


async def test_pays_its_debts_after_a_restart(launch: Any, begin: Any, tmp_path: Path) -> None:
    ride = await begin(await launch(tmp_path / "state.json"))
    await habits(ride.sandbox, late_ms=300)
    assert (await do(ride, "finish"))["owed"] == 1
    # The first world is killed here: it has nothing left to tell, but its file has.
    shutil.copy(tmp_path / "state.json", tmp_path / "kept.json")
    await ride.sandbox.ok("POST", "/_reset", None)
    ride.sandbox = await launch(tmp_path / "kept.json")
    await paid(ride)
    assert told(ride)[-1] == ("close", 2)


async def test_tells_events_twice(ride: Any) -> None:
    await habits(ride.sandbox, is_twice=True)
    await do(ride, "finish")
    assert told(ride) == [("create", 1), ("close", 2), ("close", 2)]


async def test_tells_events_late(ride: Any) -> None:
    await habits(ride.sandbox, late_ms=200)
    assert (await do(ride, "finish"))["owed"] == 1
    assert told(ride) == [("create", 1)]
    await paid(ride)
    assert told(ride) == [("create", 1), ("close", 2)]


async def test_tells_the_second_event_first(launch: Any, begin: Any, music: Any) -> None:
    sandbox = await launch()
    await habits(sandbox, is_swapped=True)
    music.players.clear()
    ride = await begin(sandbox)
    assert (await shown(ride))["owed"] == 1
    await sandbox.ok("POST", "/_drivers", None, json={"driver_profile_id": "driver-2"})
    await do(ride, "driver", driver_profile_id="driver-2")
    await paid(ride)
    assert told(ride) == [("create", 2), ("create", 1)]
    await do(ride, "finish")
    await paid(ride)
    assert told(ride)[-1] == ("close", 3)


async def test_stops_a_taximeter_that_never_played(launch: Any, begin: Any, music: Any) -> None:
    sandbox = await launch()
    await habits(sandbox, late_ms=60_000)
    ride = await begin(sandbox)
    await do(ride, "finish")
    assert (await ride.heard())["ride"] == "over"


@pytest.mark.parametrize(
    ("body", "code"), [({"session": "x"}, "unauthorized"), ({"driver_profile_id": "x"}, "driver_not_found")]
)
async def test_needs_a_passenger_and_a_driver(ride: Any, body: Any, code: str) -> None:
    person = await ride.sandbox.person(yandex_uid="4001")
    good = {"session": person["session"], "driver_profile_id": ride.driver_id}
    assert (await ride.sandbox.call("POST", ORDERS, None, json=good | body))[1]["code"] == code


async def test_does_not_know_a_strange_order(ride: Any) -> None:
    ride.order_id = "none"
    for verb, body in (("driver", {"driver_profile_id": "driver-1"}), ("transporting", {}), ("finish", {})):
        status, answer = await ride.sandbox.call("POST", f"{ORDERS}/none/{verb}", None, json=body)
        assert (status, answer["code"]) == (404, "order_not_found")


async def test_tells_the_app_of_its_order_and_the_music(ride: Any) -> None:
    person = await ride.sandbox.person(yandex_uid="4001")
    headers = {"Authorization": f"Bearer {person['session']}"}
    path = f"/passenger/4.0/totw?order_id={ride.order_id}"
    answer = await ride.sandbox.ok("GET", path, None, headers=headers)
    assert answer == {
        "order_id": ride.order_id,
        "status": "assigned",
        "music": {"enabled": True, "poll_from_status": "transporting", "polling_interval_ms": 1000},
    }
    [(caller, *_, asked)] = ride.music.to("/internal/music/v1/totw")
    assert (caller, asked) == ("totw", {"order_id": ride.order_id, "yandex_uid": "4001"})
    ride.music.answer("/internal/music/v1/totw", 503)
    assert (await ride.sandbox.ok("GET", path, None, headers=headers))["music"] == {"enabled": False}


async def test_tells_nobody_of_anothers_order(ride: Any) -> None:
    other = await ride.sandbox.person("+79160000000", yandex_uid="4002")
    headers = {"Authorization": f"Bearer {other['session']}"}
    path = f"/passenger/4.0/totw?order_id={ride.order_id}"
    assert (await ride.sandbox.call("GET", path, None, headers=headers))[0] == 404
    assert (await ride.sandbox.call("GET", path, None))[0] == 401
