"""The nearest stations (MX-25, MX-26, MA-82..85, MA-100, MA-101)."""

import functools
from typing import Any

import pytest

from kit import geo, identity, metrics
from maas.metro import model, schemas
from testkit.waiting import until

ANNA = identity.Passenger("4001")
BOUND = identity.Passenger("4001", flags=frozenset({"portal"}))
STRANGER = identity.Passenger("4002", flags=frozenset({"portal"}))


async def test_names_stations_nearest_first(world: Any) -> None:
    await world.stations_loaded()
    answer = await world.maas.as_passenger(ANNA, "POST", "/4.0/maas/v1/nearest-metro", {"point_a": world.home})
    assert answer.status == 200
    assert [station["name"] for station in answer.body["stations"]] == ["Парк культуры", "Фрунзенская", "Спортивная"]
    assert answer.body["selected"]["name"] == "Парк культуры"
    assert answer.body["stations"][0]["distance_m"] == pytest.approx(394, abs=10)
    assert answer.body["stations"][0]["line"] == {"name": "Сокольническая", "color": "#E42313"}


async def test_answers_partner_and_passenger_alike(world: Any) -> None:
    await world.stations_loaded()
    where = {"point_a": world.home, "point_b": world.crossroads, "limit": 1}
    passenger = await world.maas.as_passenger(ANNA, "POST", "/4.0/maas/v1/nearest-metro", where)
    partner = await world.partner("nearest-metro", where)
    query = f"lat_a={world.home['lat']}&lon_a={world.home['lon']}&limit=1"
    query += f"&lat_b={world.crossroads['lat']}&lon_b={world.crossroads['lon']}"
    by_link = await world.maas.ask("maas-authproxy", "GET", f"/maas/v1/nearest-metro?{query}")
    assert passenger.body == partner.body == by_link.body


async def test_selects_the_station_nearest_to_the_destination(world: Any) -> None:
    await world.stations_loaded()
    answer = await world.partner(
        "nearest-metro", {"point_a": world.home, "point_b": {"lat": 55.7224, "lon": 37.562}, "limit": 1}
    )
    assert [station["name"] for station in answer.body["stations"]] == ["Парк культуры"]
    assert answer.body["selected"]["name"] == "Спортивная"


async def test_has_nothing_to_offer_outside_the_zone(world: Any) -> None:
    await world.stations_loaded()
    answer = await world.partner("nearest-metro", {"point_a": {"lat": 59.93, "lon": 30.33}})
    assert answer.body == {"stations": [], "selected": None}


async def test_says_503_before_the_first_catalogue(world: Any) -> None:
    answer = await world.partner("nearest-metro", {"point_a": world.home})
    assert (answer.status, answer.code) == (503, "not_loaded")


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"point_a": {"lat": 91, "lon": 0}},
        {"point_a": {"lat": "55", "lon": None}},
        {"point_a": {"lat": True, "lon": 37}},
        {"point_a": [55, 37]},
        {"point_a": {"lat": 55, "lon": 37, "alt": 1}},
        {"point_a": {"lat": 55, "lon": 37}, "limit": 0},
        {"point_a": {"lat": 55, "lon": 37}, "limit": 1.5},
        {"point_a": {"lat": 55, "lon": 37}, "radius_m": -1},
    ],
)
async def test_refuses_what_is_no_place(world: Any, where: dict[str, Any]) -> None:
    answer = await world.partner("nearest-metro", where)
    assert (answer.status, answer.code) == (400, "request_invalid")
    assert answer.body["details"]["fields"]


@pytest.mark.parametrize("fault", ["reset", "garbage", "truncated"])
async def test_answers_from_its_copy_while_masstransit_is_sick(world: Any, fault: Any) -> None:
    await world.stations_loaded()
    world.neighbours.masstransit.fail(fault)
    assert await world.runs("maas.metro.refresh") == ["retry"]
    assert len((await world.partner("nearest-metro", {"point_a": world.home})).body["stations"]) == 3


async def test_takes_a_newer_catalogue_and_asks_for_nothing_older(world: Any) -> None:
    await world.stations_loaded()
    fresh = [world.stops[0] | {"name": "Парк Культуры имени Горького"}, *world.stops[1:]]
    world.neighbours.masstransit.on("GET", "/v2/stops", answer={"version": "v2", "stops": fresh}, times=1)
    assert await world.runs("maas.metro.refresh") == ["done"]
    await until(functools.partial(_names_first, world, fresh[0]["name"]))
    world.neighbours.masstransit.on("GET", "/v2/stops", status=304)
    assert await world.runs("maas.metro.refresh") == ["done"]
    asked = [{**call.query, **call.headers} for call in world.neighbours.masstransit.calls("GET", "/v2/stops")]
    assert ["v1" in str(asked[1]), "v2" in str(asked[2])] == [True, True]
    assert await _names_first(world, fresh[0]["name"])


async def _names_first(world: Any, name: str) -> bool:
    return bool((await world.partner("nearest-metro", {"point_a": world.home})).body["selected"]["name"] == name)


@pytest.mark.parametrize("left", [0, 2])
async def test_keeps_the_last_good_catalogue(world: Any, left: int) -> None:
    await world.stations_loaded()
    world.neighbours.masstransit.reset()
    world.neighbours.masstransit.on("GET", "/v2/stops", answer={"version": "v2", "stops": world.stops[:left]})
    async with world.maas.context.db.transaction() as tx:
        await world.maas.context.queue.enqueue(tx, "maas.metro.refresh", task_id="again")
    assert await world.maas.run_task("maas.metro.refresh") == ["retry"]
    answer = await world.partner("nearest-metro", {"point_a": world.home})
    assert len(answer.body["stations"]) == 3


async def test_adds_the_subscription_that_the_app_asks_for(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    shown = await world.maas.as_passenger(BOUND, "GET", "/4.0/maas/v1/subscription/info")
    for pass_id in (None, "pass-1"):
        answer = await _nearest(world, BOUND, pass_id=pass_id)
        assert (answer["subscription"], len(answer["stations"])) == (shown.body, 3)
    assert (await _nearest(world, BOUND, pass_id="pass-2"))["subscription"] is None


async def test_shows_a_subscription_to_its_owner_alone(world: Any) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    for pass_id in (None, "pass-1"):
        assert (await _nearest(world, STRANGER, pass_id=pass_id))["subscription"] is None


async def test_asks_no_database_without_a_pass(world: Any) -> None:
    await world.stations_loaded()
    before = metrics.value("pg_query_seconds_count")
    answer = await _nearest(world, BOUND)
    assert (set(answer), metrics.value("pg_query_seconds_count")) == ({"stations", "selected"}, before)


async def _nearest(world: Any, passenger: identity.Passenger, **asked: Any) -> Any:
    where = {"point_a": world.home} | asked
    answer = await world.maas.as_passenger(passenger, "POST", "/4.0/maas/v1/nearest-metro", where)
    assert answer.status == 200, answer
    return answer.body


def test_builds_by_hand_what_the_schema_says() -> None:
    point = geo.Point(55.7, 37.6)
    near = model.NearStation(model.Station("metro:x", "Парк культуры", model.Line("Кольцевая", "#915133"), point), 42)
    for nearest in (model.Nearest([near], near), model.Nearest([], None)):
        assert schemas.answer(nearest) == schemas.NEAREST.dump(nearest)
