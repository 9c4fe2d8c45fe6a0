"""What the client of maas puts on the wire and takes from it."""

import datetime
import decimal
from typing import Any

import pytest

from clients import maas
from kit import geo, http_client, money
from testkit.neighbours import Neighbours

WHEN = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=3)))
RUB = money.Money(decimal.Decimal("169.5"))
TRIP = maas.Trip(a=geo.Point(55.7, 37.6), b=geo.Point(55.8, 37.7), price=RUB, payment_method="card")
TRIP_ON_THE_WIRE = {
    "route": {"a": {"lat": 55.7, "lon": 37.6}, "b": {"lat": 55.8, "lon": 37.7}, "intermediate": []},
    "price": {"amount": "169.50", "currency": "RUB"},
    "payment_method": "card",
}
ENTRY = {"order_id": "o", "pass_id": "p", "state": "held", "rides": {"total": 10, "used": 1, "held": 1, "left": 8}}


async def test_checks_a_promo_code(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.maas.on(
        "POST",
        "/maas/v1/check-promocode",
        {"valid": False, "valid_any": True, "code": "not_near_metro", "message": "No."},
    )
    client = await opened(maas.Maas, neighbours.maas)
    found = await client.check_promocode(promocode="METRO1", yandex_uid="4000", stage="offer", trip=TRIP)
    assert found == maas.Verdict(False, True, "not_near_metro", "No.", {})
    assert mock.calls[0].json == {"promocode": "METRO1", "yandex_uid": "4000", "stage": "offer", **TRIP_ON_THE_WIRE}


async def test_tells_everything_of_a_trip() -> None:
    trip = maas.Trip(
        a=TRIP.a,
        b=TRIP.b,
        price=RUB,
        payment_method="card",
        intermediate=(TRIP.b,),
        planned_b=TRIP.a,
        paid_waiting=money.Money(decimal.Decimal(5)),
    )
    assert trip.to_wire() == {
        **TRIP_ON_THE_WIRE,
        "route": {**TRIP_ON_THE_WIRE["route"], "intermediate": [{"lat": 55.8, "lon": 37.7}]},  # type: ignore[dict-item]
        "planned_b": {"lat": 55.7, "lon": 37.6},
        "paid_waiting": {"amount": "5.00", "currency": "RUB"},
    }


async def test_keeps_the_ledger_of_rides(neighbours: Neighbours, opened: Any) -> None:
    client = await opened(maas.Maas, neighbours.maas)
    hold = neighbours.maas.on("POST", "/maas/v1/rides/hold", {**ENTRY, "code": None})
    held = await client.hold_ride(order_id="o", promocode="METRO1", yandex_uid="4000", trip=TRIP)
    assert held == maas.LedgerEntry("o", "p", "held", None, maas.Rides(10, 1, 1, 8))
    assert hold.calls[0].json == {"order_id": "o", "promocode": "METRO1", "yandex_uid": "4000", **TRIP_ON_THE_WIRE}

    complete = neighbours.maas.on("POST", "/maas/v1/rides/complete", {**ENTRY, "state": "used"})
    assert (await client.complete_ride(order_id="o", trip=TRIP, finished_at=WHEN)).state == "used"
    assert complete.calls[0].json == {"order_id": "o", "finished_at": "2026-01-31T09:00:00+00:00", **TRIP_ON_THE_WIRE}

    answer = {"order_id": "o", "state": "released", "rides": ENTRY["rides"]}
    release = neighbours.maas.on("POST", "/maas/v1/rides/release", answer)
    assert (await client.release_ride(order_id="o")).state == "released"
    assert release.calls[0].json == {"order_id": "o"}


async def test_tells_why_a_ride_was_refused(neighbours: Neighbours, opened: Any) -> None:
    neighbours.maas.on("POST", "/maas/v1/rides/hold", {"code": "no_rides_left"}, status=409)
    client = await opened(maas.Maas, neighbours.maas)
    with pytest.raises(http_client.NeighbourRefused) as refused:
        await client.hold_ride(order_id="o", promocode="METRO1", yandex_uid="4000", trip=TRIP)
    assert (refused.value.status, refused.value.reason) == (409, "no_rides_left")


async def test_finds_the_nearest_stations(neighbours: Neighbours, opened: Any) -> None:
    station = {
        "station_id": "metro:1",
        "name": "Сокольники",
        "line": {"name": "Сокольническая", "color": "#EF161E"},
        "point": {"lat": 55.789, "lon": 37.68},
        "distance_m": 120,
    }
    mock = neighbours.maas.on("POST", "/maas/v1/nearest-metro", {"stations": [station], "selected": None})
    client = await opened(maas.Maas, neighbours.maas)
    found = await client.nearest_metro(point_a=TRIP.a, limit=3)
    expected = maas.Station("metro:1", "Сокольники", "Сокольническая", "#EF161E", geo.Point(55.789, 37.68), 120)
    assert found == maas.NearestMetro((expected,), None)
    assert mock.calls[0].json == {"point_a": {"lat": 55.7, "lon": 37.6}, "limit": 3}


async def test_finds_the_shortcut_of_a_passenger(neighbours: Neighbours, opened: Any) -> None:
    shortcut = {"title": "T", "subtitle": "S", "deeplink": "yandextaxi://maas", "rides_left": 3, "pass_id": "p", "x": 1}
    mock = neighbours.maas.on("POST", "/maas/v1/shortcut", {"shortcut": shortcut})
    client = await opened(maas.Maas, neighbours.maas)
    found = await client.shortcut(yandex_uid="4001", phone_id="f", flags={"portal", "a"}, language="ru")
    assert found == maas.Shortcut("T", "S", "yandextaxi://maas", 3, "p")
    assert mock.calls[0].json == {"yandex_uid": "4001", "phone_id": "f", "flags": ["a", "portal"], "language": "ru"}
    neighbours.maas.on("POST", "/maas/v1/shortcut", {"shortcut": None})
    assert await client.shortcut(yandex_uid="4001") is None
    neighbours.maas.on("POST", "/maas/v1/shortcut", {})
    with pytest.raises(http_client.NeighbourGarbage):
        await client.shortcut(yandex_uid="4001")


async def test_tells_which_promo_codes_are_of_subscriptions(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.maas.on("POST", "/maas/v1/promocodes/filter", {"ours": ["METRO1"]})
    client = await opened(maas.Maas, neighbours.maas)
    assert await client.filter_promocodes(["METRO1", "LAVKA"]) == {"METRO1"}
    assert mock.calls[0].json == {"promocodes": ["METRO1", "LAVKA"]}


async def test_forwards_a_request_as_it_came(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.maas.on("POST", "/maas/v1/subscription/reserve", b'{"a": 1}', status=409)
    client = await opened(maas.Maas, neighbours.maas)
    raw = await client.forward(
        "POST",
        "/maas/v1/subscription/reserve",
        operation="subscription_reserve",
        is_read=False,
        body=b'{"pass_id": "p"}',
        headers={"X-Maas-Partner": "vtb", "Content-Type": "application/json"},
    )
    assert (raw.status, raw.body) == (409, b'{"a": 1}')
    (call,) = mock.calls
    assert call.body == b'{"pass_id": "p"}'
    assert call.headers["X-Maas-Partner"] == "vtb"
    assert call.headers["X-Ya-Service-Ticket"] == "ticket-of-maas"
