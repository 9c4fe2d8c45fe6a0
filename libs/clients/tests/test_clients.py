"""What each client puts on the wire and takes from it, against the neighbours' contracts."""

import datetime
import decimal
from typing import Any

import pytest

from clients import coupons, maas, masstransit, personal, user_api, vtb, zalogin
from kit import geo, http_client, money, scope
from testkit.neighbours import Neighbours

WHEN = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=3)))
NOT_FOUND: dict[str, Any] = {"answer": {"code": "not_found", "message": "No."}, "status": 404}
RUB = money.Money(decimal.Decimal("169.5"))


# personal


async def test_stores_a_phone(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.personal.on(
        "POST", "/v1/phones/bulk_store", {"items": [{"id": "ab12", "value": "+79161234567", "new": True}]}
    )
    client = await opened(personal.Personal, neighbours.personal)
    assert await client.store_phone("+79161234567") == "ab12"
    (call,) = mock.calls
    assert call.json == {"validate": True, "items": [{"value": "+79161234567"}]}
    assert call.headers["X-Ya-Service-Ticket"] == "ticket-of-maas"


async def test_refuses_an_invalid_phone(neighbours: Neighbours, opened: Any) -> None:
    neighbours.personal.on("POST", "/v1/phones/bulk_store", {"code": "invalid_phone"}, status=400)
    with pytest.raises(personal.PhoneInvalid):
        await (await opened(personal.Personal, neighbours.personal)).store_phone("+7")


@pytest.mark.parametrize("items", [[], [{"id": "a", "value": "x"}] * 2, [{"id": "", "value": "x"}], None])
async def test_refuses_a_strange_list_of_phones(neighbours: Neighbours, opened: Any, items: Any) -> None:
    neighbours.personal.on("POST", "/v1/phones/bulk_store", {"items": items})
    with pytest.raises(http_client.NeighbourGarbage):
        await (await opened(personal.Personal, neighbours.personal)).store_phone("+79161234567")


async def test_gets_a_phone(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.personal.on("POST", "/v1/phones/retrieve", {"id": "ab12", "value": "+79161234567"})
    client = await opened(personal.Personal, neighbours.personal)
    assert await client.get_phone("ab12") == "+79161234567"
    assert mock.calls[0].json == {"id": "ab12"}
    neighbours.personal.on("POST", "/v1/phones/retrieve", **NOT_FOUND)
    with pytest.raises(personal.PhoneUnknown):
        await client.get_phone("ab12")


# user-api


async def test_finds_the_phone_id(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.user_api.on(
        "POST", "/user_phones/by_personal/retrieve", {"id": "f" * 24, "personal_phone_id": "a"}
    )
    client = await opened(user_api.UserApi, neighbours.user_api)
    assert await client.find_phone_id("a") == "f" * 24
    assert mock.calls[0].json == {"personal_phone_id": "a", "type": "yandex"}
    neighbours.user_api.on("POST", "/user_phones/by_personal/retrieve", **NOT_FOUND)
    assert await client.find_phone_id("a") is None


async def test_does_not_take_a_missing_route_for_a_missing_phone(neighbours: Neighbours, opened: Any) -> None:
    neighbours.user_api.on("POST", "/user_phones/by_personal/retrieve", {"code": "route_unknown"}, status=404)
    with pytest.raises(http_client.NeighbourRefused):
        await (await opened(user_api.UserApi, neighbours.user_api)).find_phone_id("a")


# zalogin


async def test_lists_the_accounts_of_a_phone(neighbours: Neighbours, opened: Any) -> None:
    items = [{"yandex_uid": "4000", "type": "portal"}, {"yandex_uid": "4001", "type": "phonish", "more": 1}]
    mock = neighbours.zalogin.on("GET", "/v1/internal/phone-info", {"items": items})
    client = await opened(zalogin.Zalogin, neighbours.zalogin)
    assert await client.phone_info("f1") == [zalogin.Account("4000", "portal"), zalogin.Account("4001", "phonish")]
    assert dict(mock.calls[0].query) == {"phone_id": "f1"}
    neighbours.zalogin.on("GET", "/v1/internal/phone-info", **NOT_FOUND)
    assert await client.phone_info("f1") == []


@pytest.mark.parametrize(
    ("answer", "uid"), [({"portal_uid": "4000"}, "4000"), ({}, None), ({"portal_uid": None}, None)]
)
async def test_finds_the_portal_account(
    neighbours: Neighbours, opened: Any, answer: dict[str, Any], uid: str | None
) -> None:
    mock = neighbours.zalogin.on("GET", "/v1/internal/uid-info", {"yandex_uid": "4001", "type": "phonish", **answer})
    assert await (await opened(zalogin.Zalogin, neighbours.zalogin)).find_portal_uid("4001") == uid
    assert dict(mock.calls[0].query) == {"yandex_uid": "4001"}


async def test_finds_no_portal_account_of_a_stranger(neighbours: Neighbours, opened: Any) -> None:
    neighbours.zalogin.on("GET", "/v1/internal/uid-info", **NOT_FOUND)
    assert await (await opened(zalogin.Zalogin, neighbours.zalogin)).find_portal_uid("4001") is None


# coupons


async def test_generates_a_promo_code_by_its_token(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.coupons.on("POST", "/internal/generate", {"promocode": "METRO1", "series_id": "s"})
    client = await opened(coupons.Coupons, neighbours.coupons)
    asked = {"token": "p-1", "series_id": "s", "yandex_uid": "4000", "rides": 10, "expires_at": WHEN}
    with scope.entered(scope.Scope("task")) as here:
        assert await client.generate(**asked) == "METRO1"
    assert here.has_written
    (call,) = mock.calls
    assert call.headers["X-Idempotency-Token"] == "p-1"
    assert call.json == {
        "token": "p-1",
        "series_id": "s",
        "yandex_uids": ["4000"],
        "rides": 10,
        "expires_at": "2026-01-31T09:00:00+00:00",
        "service": "maas",
    }
    neighbours.coupons.on("POST", "/internal/generate", {"code": "token_conflict"}, status=409)
    with pytest.raises(coupons.TokenConflict):
        await client.generate(**asked)


async def test_deactivates_a_promo_code(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.coupons.on("POST", "/internal/deactivate", {"status": "deactivated"})
    await (await opened(coupons.Coupons, neighbours.coupons)).deactivate(promocode="METRO1", token="p-1")
    assert mock.calls[0].json == {"promocode": "METRO1", "token": "p-1"}


# masstransit

STOP = {
    "id": "metro:1",
    "name": "Сокольники",
    "lines": [{"name": "Сокольническая", "color": "#EF161E"}, {"name": "БКЛ", "color": "#82C0C0"}],
    "point": {"lat": 55.789, "lon": 37.68, "srid": 4326},
}


async def test_reads_the_stations(neighbours: Neighbours, opened: Any) -> None:
    bare = {**STOP, "lines": []}
    mock = neighbours.masstransit.on("GET", "/v2/stops", {"version": "abc", "stops": [STOP, bare]})
    found = await (await opened(masstransit.Masstransit, neighbours.masstransit)).metro_stops()
    assert found is not None
    assert found.version == "abc"
    first, second = found.stops
    assert (first.stop_id, first.name, first.point) == ("metro:1", "Сокольники", geo.Point(55.789, 37.68))
    assert (first.line_name, first.line_color) == ("Сокольническая", "#EF161E")
    assert (second.line_name, second.line_color) == ("", "#808080")
    assert dict(mock.calls[0].query) == {"type": "metro"}
    assert "If-None-Match" not in mock.calls[0].headers


async def test_reads_nothing_when_the_version_is_known(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.masstransit.on("GET", "/v2/stops", status=304)
    client = await opened(masstransit.Masstransit, neighbours.masstransit)
    assert await client.metro_stops(known_version="abc") is None
    assert mock.calls[0].headers["If-None-Match"] == '"abc"'


@pytest.mark.parametrize(
    "broken",
    [
        {"point": {"lat": 91, "lon": 0}},
        {"point": {"lat": "55", "lon": None}},
        {"lines": [{"name": "x", "color": "red"}]},
        {"id": ""},
        {"name": 5},
    ],
)
async def test_refuses_a_station_that_makes_no_sense(
    neighbours: Neighbours, opened: Any, broken: dict[str, Any]
) -> None:
    neighbours.masstransit.on("GET", "/v2/stops", {"version": "abc", "stops": [STOP, {**STOP, **broken}]})
    with pytest.raises(http_client.NeighbourGarbage):
        await (await opened(masstransit.Masstransit, neighbours.masstransit)).metro_stops()


async def test_refuses_a_version_that_is_no_header(neighbours: Neighbours, opened: Any) -> None:
    neighbours.masstransit.on("GET", "/v2/stops", {"version": 'a"\r\nX: 1', "stops": []})
    with pytest.raises(http_client.NeighbourGarbage):
        await (await opened(masstransit.Masstransit, neighbours.masstransit)).metro_stops()


# vtb


async def test_makes_a_user(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.vtb.on("POST", "/users", {"maas_user_id": "vtb-1"})
    assert await (await opened(vtb.Vtb, neighbours.vtb)).create_user("+79161234567") == "vtb-1"
    assert mock.calls[0].json == {"phone": "+79161234567"}


async def test_lists_tariffs(neighbours: Neighbours, opened: Any) -> None:
    tariff = {
        "tariff_id": "t",
        "price": {"amount": "2990.00", "currency": "RUB"},
        "taxi_rides": 10,
        "duration_days": 30,
    }
    mock = neighbours.vtb.on("GET", "/tariffs", {"tariffs": [tariff]})
    client = await opened(vtb.Vtb, neighbours.vtb)
    price = money.Money(decimal.Decimal("2990.00"))
    assert await client.tariffs() == [vtb.Tariff("t", price, 10, 30)]
    await client.tariffs("vtb-1")
    assert [dict(call.query) for call in mock.calls] == [{}, {"maas_user_id": "vtb-1"}]
    neighbours.vtb.on("GET", "/tariffs", **NOT_FOUND)
    with pytest.raises(vtb.UserUnknown):
        await client.tariffs("vtb-2")


async def test_finds_a_subscription(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.vtb.on("GET", "/subscriptions/{pass_id}", {"pass_id": "p 1/..", "status": "activated"})
    client = await opened(vtb.Vtb, neighbours.vtb)
    assert await client.find_subscription_status("p-1") == "activated"
    assert mock.calls[0].args == {"pass_id": "p-1"}
    neighbours.vtb.on("GET", "/subscriptions/{pass_id}", **NOT_FOUND)
    assert await client.find_subscription_status("p-1") is None


async def test_reports_a_ride(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.vtb.on("POST", "/rides/taxi", {"accepted": True})
    client = await opened(vtb.Vtb, neighbours.vtb)
    ride = {"ride_id": "o-1", "pass_id": "p-1", "maas_user_id": "vtb-1", "taxi_rides_left": 9}
    await client.report_taxi_ride(**ride, cost=RUB, finished_at=WHEN)
    assert mock.calls[0].json == {
        **ride,
        "cost": {"amount": "169.50", "currency": "RUB"},
        "finished_at": "2026-01-31T09:00:00+00:00",
    }
    neighbours.vtb.on("POST", "/rides/taxi", {"code": "ride_conflict"}, status=409)
    with pytest.raises(vtb.RideConflict):
        await client.report_taxi_ride(**ride, cost=RUB, finished_at=WHEN)


# all of them


@pytest.mark.parametrize("kind", [coupons, maas, masstransit, personal, user_api, vtb, zalogin])
def test_has_one_client_with_a_name_for_its_rules(kind: Any) -> None:
    (client,) = (
        thing
        for thing in vars(kind).values()
        if isinstance(thing, type) and issubclass(thing, http_client.Client) and thing.__module__ == kind.__name__
    )
    assert client.name.replace("-", "_") == kind.__name__.split(".")[1]
