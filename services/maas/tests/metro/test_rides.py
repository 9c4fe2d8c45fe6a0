"""Rides on the metro, as the bank reports them (MX-04)."""

import asyncio
from typing import Any

import pytest

from kit import metrics


def _ride(number: int, **changed: Any) -> dict[str, Any]:
    told = {"ride_id": f"metro-{number}", "maas_user_id": "user-1", "pass_id": "pass-1", "station": "Сокольники"}
    return told | {"at": "2026-01-31T12:00:00+03:00"} | changed


async def _report(world: Any, *rides: dict[str, Any]) -> Any:
    answer = await world.partner("rides/metro", {"rides": list(rides)})
    assert answer.status == 200, answer
    return answer.body


async def _stations(world: Any) -> dict[str, str]:
    rows = await world.maas.context.db.all(dict, "SELECT ride_id, station FROM subscriptions.metro_rides")
    return {row["ride_id"]: row["station"] for row in rows}


def _counted() -> dict[str, float]:
    return {each: metrics.value("maas_metro_rides_total", outcome=each) for each in ("new", "known", "differing")}


async def test_counts_what_is_new_and_what_is_known(world: Any) -> None:
    assert await _report(world, _ride(1), _ride(2)) == {"new": 2, "known": 0}
    assert await _report(world, _ride(2), _ride(3)) == {"new": 1, "known": 1}
    assert await _report(world, _ride(2), _ride(3)) == {"new": 0, "known": 2}
    assert await _report(world) == {"new": 0, "known": 0}
    assert await _stations(world) == dict.fromkeys(["metro-1", "metro-2", "metro-3"], "Сокольники")


async def test_keeps_a_ride_as_it_was_first_told(world: Any) -> None:
    before = _counted()
    assert await _report(world, _ride(1), _ride(1), _ride(1, station="Лубянка")) == {"new": 1, "known": 2}
    told = [_ride(1), _ride(1, pass_id="pass-2"), _ride(1, at="2026-01-31T09:00:00Z"), _ride(2, station="Лубянка")]
    assert await _report(world, *told) == {"new": 1, "known": 3}
    assert await _stations(world) == {"metro-1": "Сокольники", "metro-2": "Лубянка"}
    assert {name: value - before[name] for name, value in _counted().items()} == {"new": 2, "known": 3, "differing": 2}


async def test_takes_the_same_rides_told_by_many_at_once(world: Any) -> None:
    rides = [_ride(number) for number in range(380)]
    told = await asyncio.gather(*(_report(world, *rides[:: 1 if turn % 2 else -1]) for turn in range(8)))
    assert (sum(each["new"] for each in told), sum(each["known"] for each in told)) == (380, 7 * 380)


async def test_takes_as_many_rides_as_a_body_holds(world: Any) -> None:
    assert await _report(world, *(_ride(number) for number in range(380))) == {"new": 380, "known": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"ride_id": ""},
        {"at": "yesterday"},
        {"at": "2026-01-31T12:00:00"},
        {"station": "\x00"},
        {"price": 1},
        {"pass_id": None},
    ],
)
async def test_refuses_what_is_no_ride(world: Any, change: dict[str, Any]) -> None:
    answer = await world.partner("rides/metro", {"rides": [_ride(1), _ride(2, **change)]})
    assert (answer.status, answer.code) == (400, "request_invalid")
    assert await _stations(world) == {}


async def test_forgets_old_rides(world: Any) -> None:
    await _report(world, *(_ride(number) for number in range(5)))
    await world.pass_time(days=1096)
    await _report(world, _ride(9))
    assert await world.runs("maas.metro.purge") == ["done"]
    assert list(await _stations(world)) == ["metro-9"]
