"""What the app asks around a ride by subscription: its buttons, zone, prices, promo codes and choices."""

from typing import Any

import pytest

ROUTE = {"a": {"lat": 55.75, "lon": 37.61}, "b": {"lat": 55.76, "lon": 37.62}, "intermediate": []}
SHORTCUT, FILTER, CHECK = (f"/maas/v1/{word}" for word in ("shortcut", "promocodes/filter", "check-promocode"))
TRAP = {
    "title": "Абонемент",
    "subtitle": "9 поездок",
    "deeplink": "yandextaxi://route?vertical=maas",
    "rides_left": 9,
    "pass_id": "p",
}
POINTS = "Для выбранных точек A и B поездка недоступна, попробуйте изменить маршрут"
DOWN = (503, {"code": "unavailable", "message": "-"})
SCREENS: list[tuple[str, str, str, Any]] = [
    ("products", "GET", "/products", None),
    ("api-proxy", "GET", "/zoneinfo", None),
    ("api-proxy", "GET", "/3.0/promocodes", None),
    ("protocol", "POST", "/3.0/routestats", {"route": ROUTE, "payment_method": "card"}),
    ("user-state", "GET", "/personalstate", None),
    ("user-state", "PUT", "/personalstate", {"selected_options_in_verticals": {}}),
]


async def asked(sandbox: Any, person: Any, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {person['session']}"} | kwargs.pop("headers", {})
    answer: tuple[int, Any] = await sandbox.call(method, "/passenger" + path, None, headers=headers, **kwargs)
    return answer


async def shown(sandbox: Any, person: Any, path: str, **kwargs: Any) -> Any:
    status, answer = await asked(sandbox, person, "GET", path, **kwargs)
    assert status == 200, answer
    return answer


async def tariffs(sandbox: Any, person: Any, **changes: Any) -> list[Any]:
    body = {"route": ROUTE, "payment_method": "card"} | changes
    status, answer = await asked(sandbox, person, "POST", "/3.0/routestats", json=body)
    assert status == 200, answer
    found: list[Any] = answer["tariffs"]
    return found


async def trapped(sandbox: Any, person: Any, **changes: Any) -> Any:
    [tariff] = await tariffs(sandbox, person, vertical="maas", **changes)
    assert tariff["vertical"] == "maas"
    return tariff.get("tariff_unavailable")


@pytest.mark.parametrize(("name", "method", "path", "body"), SCREENS)
async def test_serves_sessions_keeps_contracts_and_fails_on_order(
    sandbox: Any, name: str, method: str, path: str, body: Any
) -> None:
    person, request = await sandbox.person(), {} if body is None else {"json": body}
    assert (await asked(sandbox, person, method, path, **request))[0] == 200
    assert (await asked(sandbox, {"session": "nobody"}, method, path, **request))[1]["code"] == "unauthorized"
    assert (await asked(sandbox, person, method, path + "?page=1", **request))[1]["code"] == "contract_violation"
    await sandbox.ok("PUT", f"/_faults/{name}", None, json={"mode": "error"})
    assert (await asked(sandbox, person, method, path, **request))[0] == 500
    stats = await sandbox.ok("GET", "/_stats", None)
    assert (stats["calls"][name], stats["contract_violations"], stats["faults"]) == (4, {name: 1}, {name: 1})


async def test_shows_the_trap_to_the_owner_of_a_subscription(sandbox: Any, maas: Any) -> None:
    maas.answers[SHORTCUT] = {"shortcut": TRAP}
    person = await sandbox.person(uid_kind="phonish")
    taxi, trap = (await shown(sandbox, person, "/products", headers={"Accept-Language": "en"}))["products"]
    assert (taxi["id"], taxi["title"]) == ("taxi", "Taxi")
    assert trap == {"id": "maas", "action": {"type": "vertical_trap", "vertical": "maas"}} | TRAP
    [call] = maas.seen
    assert call.caller == "products"
    assert call.body == {
        "yandex_uid": person["yandex_uid"],
        "personal_phone_id": person["personal_phone_id"],
        "phone_id": person["phone_id"],
        "flags": ["phonish"],
        "language": "en",
    }


async def test_shows_no_trap_without_a_subscription_or_an_answer(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    maas.answers[SHORTCUT] = {"shortcut": None}
    maas.answer(SHORTCUT, *DOWN, times=3)
    maas.answer(SHORTCUT, 400, {"code": "bad_request", "message": "-"})
    for _ in range(3):
        assert [product["id"] for product in (await shown(sandbox, person, "/products"))["products"]] == ["taxi"]
    assert len(maas.to(SHORTCUT)) == 5


async def test_hides_the_vertical_of_the_subscription(sandbox: Any) -> None:
    found = (await shown(sandbox, await sandbox.person(), "/zoneinfo"))["verticals"]
    marks = ("vertical", "title", "payment_methods", "hidden_until_received", "used_for_pass_rides")
    assert [tuple(vertical[name] for name in marks) for vertical in found] == [
        ("taxi", "Такси", ["card", "cash"], False, False),
        ("maas", "По абонементу", ["card"], True, True),
    ]


async def test_prices_an_ordinary_summary_without_the_subscription(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    code = (await sandbox.promocode(person))[1]["promocode"]
    near = await tariffs(sandbox, person, promocode=code, payment_method="cash")
    assert [(one["vertical"], one["tariff"]) for one in near] == [("taxi", "econom"), ("taxi", "comfort")]
    assert near[0]["price"] == {"amount": "99.00", "currency": "RUB"}
    far = await tariffs(sandbox, person, route=ROUTE | {"b": {"lat": 55.85, "lon": 37.61}})
    assert [one["price"]["amount"] for one in far] == ["334.00", "500.00"]
    assert maas.seen == []


async def test_prices_a_detour(sandbox: Any) -> None:
    person, detour = await sandbox.person(), ROUTE | {"intermediate": [{"lat": 55.85, "lon": 37.61}]}
    direct, longer = await tariffs(sandbox, person), await tariffs(sandbox, person, route=detour)
    assert float(longer[0]["price"]["amount"]) > float(direct[0]["price"]["amount"])


async def test_offers_a_ride_that_the_subscription_pays(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    code = (await sandbox.promocode(person))[1]["promocode"]
    assert await trapped(sandbox, person, promocode=code) is None
    [call] = maas.to(CHECK)
    assert call.body == {
        "promocode": code,
        "yandex_uid": person["yandex_uid"],
        "stage": "offer",
        "route": ROUTE,
        "price": {"amount": "99.00", "currency": "RUB"},
        "payment_method": "card",
    }


REFUSALS = [
    ("distance_too_long", True, "change_points"),
    ("payment_method_not_allowed", False, "change_payment_method"),
    ("no_rides_left", False, "purchase"),
]


@pytest.mark.parametrize(("code", "valid_any", "action"), REFUSALS)
async def test_says_why_the_ride_cannot_be_had(
    sandbox: Any, maas: Any, code: str, valid_any: bool, action: str
) -> None:
    maas.answers[CHECK] = {"valid": False, "valid_any": valid_any, "code": code, "message": "Так нельзя."}
    person = await sandbox.person()
    promocode = (await sandbox.promocode(person))[1]["promocode"]
    restriction = await trapped(sandbox, person, promocode=promocode)
    assert (restriction["code"], restriction["action"]) == ("tariff_unavailable", action)
    assert restriction["message"]
    assert (restriction["message"] == POINTS) is (action == "change_points")


async def test_sends_to_the_purchase_who_has_no_code_of_a_subscription(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    welcome = await sandbox.ok("POST", "/coupons/_codes", None, json={"yandex_uid": person["yandex_uid"]})
    for code in ({}, {"promocode": welcome["promocode"]}, {"promocode": "NONE"}):
        assert (await trapped(sandbox, person, **code))["action"] == "purchase"
    assert maas.seen == []


async def test_sends_nobody_to_the_purchase_because_maas_is_away(sandbox: Any, maas: Any) -> None:
    maas.answer(CHECK, *DOWN, times=3)
    person = await sandbox.person()
    code = (await sandbox.promocode(person))[1]["promocode"]
    body = {"route": ROUTE, "payment_method": "card", "promocode": code, "vertical": "maas"}
    status, answer = await asked(sandbox, person, "POST", "/3.0/routestats", json=body)
    assert (status, answer["code"]) == (503, "service_unavailable")


async def test_lists_the_persons_codes_without_those_of_maas(sandbox: Any, maas: Any) -> None:
    person, other = await sandbox.person(), await sandbox.person("+79160000000")
    assert (await shown(sandbox, person, "/3.0/promocodes"))["promocodes"] == []
    ours = (await sandbox.promocode(person))[1]["promocode"]
    welcome = await sandbox.ok("POST", "/coupons/_codes", None, json={"yandex_uid": person["yandex_uid"]})
    await sandbox.ok("POST", "/coupons/_codes", None, json={"yandex_uid": other["yandex_uid"]})
    maas.answers[FILTER] = {"ours": [ours]}
    # When maas is away, the codes that were made for it are hidden all the same.
    for times in (0, 3):
        maas.answer(FILTER, *DOWN, times=times)
        [code] = (await shown(sandbox, person, "/3.0/promocodes"))["promocodes"]
        assert code == welcome | {"expires_at": "2099-01-01T00:00:00+00:00"}
    assert (maas.seen[0].caller, maas.seen[0].body) == ("coupons", {"promocodes": [ours, welcome["promocode"]]})


async def test_takes_an_ordinary_code_without_asking_maas(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    welcome = await sandbox.ok("POST", "/coupons/_codes", None, json={"yandex_uid": person["yandex_uid"]})
    ride = {"route": ROUTE, "price": {"amount": "1.00", "currency": "RUB"}, "payment_method": "cash", "stage": "offer"}
    check = ride | {"yandex_uid": person["yandex_uid"], "promocode": welcome["promocode"]}
    assert (await sandbox.ok("POST", "/coupons/couponcheck", None, json=check))["valid"] is True
    assert maas.seen == []


def chosen(vertical: str, kind: str, **card: str) -> dict[str, Any]:
    return {"selected_options_in_verticals": {vertical: {"payment_method": {"type": kind, **card}}}}


async def test_keeps_the_chosen_card_of_each_vertical(sandbox: Any) -> None:
    person, other = await sandbox.person(), await sandbox.person("+79160000000")
    card, cash = chosen("maas", "card", id="card-1"), chosen("taxi", "cash")
    for body in (card, cash):
        assert (await asked(sandbox, person, "PUT", "/personalstate", json=body))[0] == 200
    both = card["selected_options_in_verticals"] | cash["selected_options_in_verticals"]
    assert await shown(sandbox, person, "/personalstate") == {"selected_options_in_verticals": both}
    assert await shown(sandbox, other, "/personalstate") == {"selected_options_in_verticals": {}}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (chosen("maas", "cash"), 409, "payment_method_not_allowed"),
        (chosen("moon", "card"), 400, "contract_violation"),
        (chosen("maas", "gold"), 400, "contract_violation"),
    ],
)
async def test_keeps_no_choice_that_cannot_be(sandbox: Any, body: Any, status: int, code: str) -> None:
    person = await sandbox.person()
    found = await asked(sandbox, person, "PUT", "/personalstate", json=body)
    assert (found[0], found[1]["code"]) == (status, code)
    assert await shown(sandbox, person, "/personalstate") == {"selected_options_in_verticals": {}}
