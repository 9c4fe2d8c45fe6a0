"""What the app offers, and how a purchase begins in it (MA-53..58)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kit import identity
from maas.tokens import actions as tokens
from maas.tokens.model import UserTokenMismatch

PRODUCT, START = "/4.0/maas/v1/product-info", "/4.0/maas/v1/purchase/start"
ANNA = identity.Passenger("4001", flags=frozenset({"portal"}))


@pytest.fixture
async def shop(world: Any) -> Any:
    """maas that knows the passenger, and a bank that sells two tariffs, one of them agreed with us."""
    await world.registered("user-1")
    await world.execute("UPDATE users.users SET yandex_uid = '4001', uid_kind = 'portal'")
    _sells(world, world.tariff, world.tariff | {"tariff_id": "metro-taxi-20"})
    return world


def _sells(world: Any, *tariffs: Any) -> None:
    world.neighbours.vtb.on("GET", "/tariffs", answer={"tariffs": tariffs})


async def _product(world: Any, language: str = "ru", passenger: identity.Passenger = ANNA) -> Any:
    return await world.maas.as_passenger(passenger, "GET", PRODUCT, **{"X-Request-Language": language})


async def _starts(world: Any, tariff_id: str = "metro-taxi-10", passenger: identity.Passenger = ANNA) -> Any:
    return await world.maas.as_passenger(passenger, "POST", START, {"tariff_id": tariff_id})


@pytest.mark.parametrize(
    ("language", "title", "button"),
    [("ru", "10 поездок на такси", "Купить абонемент"), ("en", "10 taxi rides", "Buy the subscription")],
)
async def test_shows_what_is_sold_as_it_was_agreed(shop: Any, language: str, title: str, button: str) -> None:
    answer = await _product(shop, language)
    assert (answer.status, answer.body["maas_user_id"], answer.body["subscription"]) == (200, "user-1", None)
    (tariff,) = answer.body["tariffs"]
    assert {name: tariff[name] for name in shop.tariff} == shop.tariff
    assert (tariff["title"], len(tariff["details"])) == (title, 3)
    assert answer.body["ui"]["buy_button"] == button
    assert answer.body["ui"]["terms_url"].startswith("https://")
    assert shop.neighbours.vtb.calls("GET", "/tariffs")[0].query == {"maas_user_id": "user-1"}


@pytest.mark.parametrize(
    ("language", "title", "description"),
    [("ru", "21 поездка на такси", "Действует 2 дня"), ("en", "21 taxi rides", "Valid for 2 days")],
)
async def test_describes_a_tariff_without_texts(shop: Any, language: str, title: str, description: str) -> None:
    new = shop.tariff | {"tariff_id": "metro-taxi-21", "taxi_rides": 21, "duration_days": 2}
    await shop.configured(MAAS_TARIFFS=[new | {"promocode_series_id": "maas-21"}])
    _sells(shop, new)
    (tariff,) = (await _product(shop, language)).body["tariffs"]
    assert (tariff["title"], tariff["description"], tariff["details"]) == (title, description, [])


async def test_shows_the_live_subscription(shop: Any) -> None:
    await shop.partner("subscription/reserve", shop.sale())
    assert (await _product(shop)).body["subscription"] is None
    await shop.partner("subscription/activate", {"pass_id": "pass-1"})
    shown = (await _product(shop)).body["subscription"]
    assert (shown["pass_id"], shown["rides"]["left"]) == ("pass-1", 10)
    assert await shop.maas.run_task("maas.promocode.issue") == ["done"]


async def test_sends_a_stranger_to_register(shop: Any) -> None:
    stranger = identity.Passenger("4777", flags=frozenset({"portal"}), personal_phone_id="nobody")
    for answer in (await _product(shop, passenger=stranger), await _starts(shop, passenger=stranger)):
        assert (answer.status, answer.code) == (401, "maas_user_not_found")
    assert shop.neighbours.vtb.calls() == []


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [(503, {"code": "busy"}, 503), (500, {"code": "internal_error"}, 502), (200, {"tariffs": "none"}, 502)],
)
async def test_says_that_the_bank_is_sick(shop: Any, status: int, content: Any, expected: int) -> None:
    shop.neighbours.vtb.on("GET", "/tariffs", answer=content, status=status)
    answer = await _product(shop)
    assert (answer.status, set(answer.body) >= {"code", "message"}) == (expected, True)
    assert ("Retry-After" in answer.headers) == (expected == 503)


async def test_leads_to_the_page_of_the_bank_with_a_token(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    page = "https://bank.test/pay?theme=dark"
    await shop.configured(MAAS_PURCHASE={"webview_url": page, "token_ttl_s": 600})
    answer = await _starts(shop)
    assert answer.status == 200
    token = answer.body["user_token"]
    url = urlsplit(answer.body["webview_url"])
    assert (url.scheme, url.netloc, url.path) == ("https", "bank.test", "/pay")
    expected = {"theme": "dark", "maas_user_id": "user-1", "tariff_id": "metro-taxi-10", "user_token": token}
    assert {name: value for name, (value,) in parse_qs(url.query).items()} == expected
    (row,) = await shop.maas.context.db.all(
        dict, "SELECT yandex_uid, extract(epoch FROM expires_at - created_at)::int AS ttl_s FROM users.purchase_tokens"
    )
    assert row == {"yandex_uid": "4001", "ttl_s": 600}
    logged = capsys.readouterr().out
    assert START in logged
    assert token not in logged


async def test_gives_a_token_that_is_good_for_this_purchase_alone(shop: Any) -> None:
    first, second = [(await _starts(shop)).body["user_token"] for _ in range(2)]
    assert first != second
    ctx = shop.maas.context
    whose = {"db": ctx.db, "salt": ctx.config.token_salt, "maas_user_id": "user-1"}
    for token in (first, second):
        assert await tokens.check(token=token, tariff_id="metro-taxi-10", **whose)
        with pytest.raises(UserTokenMismatch):
            await tokens.check(token=token, tariff_id="metro-taxi-20", **whose)


async def test_starts_no_purchase_that_can_not_end(shop: Any) -> None:
    answer = await _starts(shop, "metro-taxi-99")
    assert (answer.status, answer.code) == (404, "tariff_not_found")
    await shop.partner("subscription/reserve", shop.sale())
    for path in ("subscription/activate", None):
        answer = await _starts(shop)
        assert (answer.status, answer.code) == (409, "active_subscription_exists")
        if path:
            await shop.partner(path, {"pass_id": "pass-1"})
    await shop.pass_time(days=31)
    assert (await _starts(shop)).status == 200
    assert await shop.maas.run_task("maas.promocode.issue") == ["done"]


async def test_refuses_a_purchase_of_nothing(shop: Any) -> None:
    for body in ({}, {"tariff_id": ""}, {"tariff_id": 1}, {"tariff_id": "metro-taxi-10", "price": 1}):
        answer = await shop.maas.as_passenger(ANNA, "POST", START, body)
        assert (answer.status, answer.code) == (400, "request_invalid")
    assert await shop.execute("SELECT FROM users.purchase_tokens") == 0
