"""VTB's page: a tariff, a card, and an outcome that holds whatever happens on the way (MA-57)."""

import asyncio
import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from sandbox import state
from testkit import waiting

API = "/maas-authproxy/v1/subscription"
RESERVE, ACTIVATE, CANCEL = (f"{API}/{word}" for word in ("reserve", "activate", "cancel"))
TOKEN = "token-of-one-purchase"
OFFER = {"maas_user_id": "vtb-1", "tariff_id": "metro-taxi-10", "user_token": TOKEN}
UNTIL = "2099-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Page:
    """A page as a browser gets it, redirects followed."""

    status: int
    text: str
    path: str
    headers: Any

    @property
    def heading(self) -> str:
        return html.unescape(re.findall(r"<h1>(.*?)</h1>", self.text)[0])

    @property
    def fields(self) -> dict[str, str]:
        found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', self.text)
        return {name: html.unescape(value) for name, value in found}

    @property
    def way_back(self) -> str:
        return html.unescape(re.findall(r'href="(yandextaxi:[^"]*)"', self.text)[0])


async def opened(sandbox: Any, language: str = "ru", **changes: str) -> Page:
    return await sent(sandbox, "GET", "/vtb/webview?" + urlencode(OFFER | changes), language)


async def pressed(sandbox: Any, choice: str, **changes: str) -> Page:
    return await sent(sandbox, "POST", "/vtb/webview", "ru", data=OFFER | changes | {"choice": choice})


async def sent(sandbox: Any, method: str, path: str, language: str, **kwargs: Any) -> Page:
    headers = {"Accept-Language": language}
    async with sandbox.http.request(method, sandbox.url + path, headers=headers, **kwargs) as response:
        return Page(response.status, await response.text(), response.url.path, response.headers)


async def sold(sandbox: Any) -> Any:
    [sale] = (await sandbox.ok("GET", "/vtb/_sales", None))["sales"]
    return sale


async def bank_says(sandbox: Any, pass_id: str) -> str:
    return str((await sandbox.ok("GET", f"/vtb/subscriptions/{pass_id}"))["status"])


async def test_shows_the_tariff_in_the_persons_language(sandbox: Any) -> None:
    russian, english = await opened(sandbox), await opened(sandbox, "de, en-GB;q=0.8, ru;q=0.5")
    for page, words in (
        (russian, ('lang="ru"', "Абонемент «Метро и такси»", "2\u00a0990\u00a0₽", "10 поездок", "30 дней")),
        (english, ('lang="en"', "Metro and taxi subscription", "2,990\u00a0₽", "10 taxi rides", "30 days")),
    ):
        assert page.status == 200
        assert all(word in page.text for word in words), page.text
        assert page.fields == OFFER
        assert re.findall(r'name="choice" value="(\w+)"', page.text) == ["pay", "decline", "cancel"]


async def test_needs_nothing_from_elsewhere_and_leaves_nothing_behind(sandbox: Any) -> None:
    page = await opened(sandbox)
    assert "<script" not in page.text
    assert not re.search(r'(src|href)="(https?:)?//', page.text)
    assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_sells_and_activates(sandbox: Any, maas: Any) -> None:
    maas.answers[ACTIVATE] = {"status": "activated", "expiration_datetime": UNTIL}
    page = await pressed(sandbox, "pay")
    assert (page.status, page.path, page.heading) == (200, "/vtb/webview/result", "Абонемент действует")
    reserve, activate = maas.seen
    assert (reserve.path, reserve.caller, activate.path) == (RESERVE, "vtb-1.key", ACTIVATE)
    assert reserve.body == {
        "pass_id": (pass_id := reserve.body["pass_id"]),
        "maas_user_id": "vtb-1",
        "user_token": TOKEN,
        "tariff": {
            "tariff_id": "metro-taxi-10",
            "price": {"amount": "2990.00", "currency": "RUB"},
            "taxi_rides": 10,
            "duration_days": 30,
        },
    }
    assert activate.body == {"pass_id": pass_id}
    assert page.way_back == f"yandextaxi://maas/purchase?result=success&pass_id={pass_id}"
    assert await bank_says(sandbox, pass_id) == "activated"


async def test_gives_the_reservation_back_when_the_card_is_refused(sandbox: Any, maas: Any) -> None:
    page = await pressed(sandbox, "decline")
    assert page.heading == "Карта не принята"
    assert "result=failure" in page.way_back
    assert [call.path for call in maas.seen] == [RESERVE, CANCEL]
    assert maas.seen[1].body == {"pass_id": maas.seen[0].body["pass_id"], "reason": "payment_failed"}
    sale = await sold(sandbox)
    assert (sale["status"], sale["owed"]) == ("declined", None)
    assert await bank_says(sandbox, sale["pass_id"]) == "canceled"


async def test_does_nothing_when_the_person_cancels(sandbox: Any, maas: Any) -> None:
    page = await pressed(sandbox, "cancel")
    assert (page.heading, page.way_back) == ("Покупка отменена", "yandextaxi://maas/purchase?result=canceled")
    assert maas.seen == []
    assert (await pressed(sandbox, "pay")).heading == "Абонемент действует"


@pytest.mark.parametrize("choices", [("pay", "pay"), ("pay", "decline"), ("pay", "cancel")])
async def test_sells_once_however_often_the_page_is_sent(sandbox: Any, maas: Any, choices: Any) -> None:
    await asyncio.gather(pressed(sandbox, "pay"), pressed(sandbox, "pay"), pressed(sandbox, "pay"))
    pages = [await pressed(sandbox, choice) for choice in choices] + [await opened(sandbox)]
    assert {page.heading for page in pages} == {"Абонемент действует"}
    assert [call.path for call in maas.seen] == [RESERVE, ACTIVATE]


REFUSED = [
    ("user_token_mismatch", 403, "Эта страница — на одну покупку"),
    ("active_subscription_exists", 409, "У вас уже есть абонемент"),
    ("budget_exhausted", 409, "Все абонементы по этому тарифу проданы"),
    ("something_new", 409, "Продавец отказал в покупке"),
]


@pytest.mark.parametrize(("code", "status", "sentence"), REFUSED)
async def test_says_why_it_was_refused(sandbox: Any, maas: Any, code: str, status: int, sentence: str) -> None:
    maas.answer(RESERVE, status, {"code": code, "message": "-"})
    page = await pressed(sandbox, "pay")
    assert page.heading == "Покупка не состоялась"
    assert sentence in page.text
    assert "Деньги не списаны" in page.text
    assert (await sold(sandbox))["refused"] == code
    assert maas.to(ACTIVATE) == []


async def test_gives_the_money_back_when_there_will_be_no_subscription(sandbox: Any, maas: Any) -> None:
    maas.answer(ACTIVATE, 409, {"code": "active_subscription_exists", "message": "-"})
    page = await pressed(sandbox, "pay")
    assert page.heading == "Деньги вернутся на карту"
    sale = await sold(sandbox)
    assert (sale["status"], sale["refused"]) == ("refunded", "active_subscription_exists")


@pytest.mark.parametrize("step", [RESERVE, ACTIVATE])
async def test_finishes_later_when_the_outcome_is_unknown(sandbox: Any, maas: Any, step: str) -> None:
    maas.answer(step, 504, {"code": "service_timeout", "message": "-"}, times=5)
    page = await pressed(sandbox, "pay")
    assert page.heading == "Завершаем покупку"
    assert 'http-equiv="refresh"' in page.text
    [sale] = sandbox.world.store.state.sales.values()
    await waiting.until(lambda: sale.owed is None)
    assert (await opened(sandbox)).heading == "Абонемент действует"
    bodies = [call.body for call in maas.to(step)]
    assert len(bodies) == 6
    assert all(body == bodies[0] for body in bodies)


async def test_keeps_a_paid_sale_while_its_key_is_not_taken(sandbox: Any, maas: Any) -> None:
    maas.answer(ACTIVATE, 401, {"code": "api_key_invalid", "message": "-"}, times=2)
    assert (await pressed(sandbox, "pay")).heading == "Завершаем покупку"
    [sale] = sandbox.world.store.state.sales.values()
    await waiting.until(lambda: sale.status == "activated")


async def test_goes_on_with_a_purchase_after_a_restart(start: Any, maas: Any, tmp_path: Path) -> None:
    killed = state.Store(tmp_path / "state.json")
    killed.state.sales["p"] = state.Sale("p", "vtb-1", "metro-taxi-10", "good", UNTIL, TOKEN)
    killed.save()
    sandbox = await start(tmp_path / "state.json")
    sale = sandbox.world.store.state.sales["p"]
    await waiting.until(lambda: sale.status == "activated")
    assert maas.to(RESERVE)[0].body["user_token"] == TOKEN


async def test_keeps_the_token_out_of_its_memory_and_its_log(start: Any, maas: Any, tmp_path: Path) -> None:
    sandbox = await start(tmp_path / "state.json")
    maas.answer(ACTIVATE, 503, {"code": "unavailable"}, times=3)
    await opened(sandbox)
    await pressed(sandbox, "pay")
    await sent(sandbox, "HEAD", "/vtb/webview?" + urlencode(OFFER), "ru")
    await sent(sandbox, "POST", "/vtb/webview", "ru", json=OFFER | {"choice": "pay"})
    await sent(sandbox, "POST", "/vtb/webview", "ru", data=f"<user_token>{TOKEN}")
    log = await sandbox.ok("GET", "/_log?neighbour=vtb", None)
    assert log["calls"][0]["query"] == OFFER | {"user_token": "***"}
    for shown in (log, await sandbox.ok("GET", "/_stats", None), await sandbox.ok("GET", "/vtb/_sales", None)):
        assert TOKEN not in str(shown)
    assert TOKEN not in (tmp_path / "state.json").read_text()


async def test_lets_a_subscription_expire_by_its_own_clock(sandbox: Any, maas: Any) -> None:
    maas.answers[ACTIVATE] = {"status": "activated", "expiration_datetime": "2020-01-01T00:00:00+00:00"}
    await pressed(sandbox, "pay")
    assert await bank_says(sandbox, (await sold(sandbox))["pass_id"]) == "expired"


TROUBLES: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/vtb/webview?tariff_id=metro-taxi-10", {}, 400, "Адрес страницы неполный"),
    ("GET", "/vtb/webview?" + urlencode(OFFER | {"tariff_id": "gold"}), {}, 404, "Банк не продаёт такой тариф"),
    ("GET", "/vtb/webview/result?pass_id=none", {}, 404, "Банк не знает такой покупки"),
    ("POST", "/vtb/webview", {"data": OFFER | {"choice": "steal"}}, 400, "Адрес страницы неполный"),
    ("POST", "/vtb/webview", {"json": OFFER | {"choice": "pay"}}, 400, "Адрес страницы неполный"),
]


@pytest.mark.parametrize(("method", "path", "request_", "status", "sentence"), TROUBLES)
async def test_explains_what_is_wrong_with_its_address(
    sandbox: Any, method: str, path: str, request_: Any, status: int, sentence: str
) -> None:
    page = await sent(sandbox, method, path, "ru", **request_)
    assert (page.status, page.heading) == (status, "Страницу нельзя показать")
    assert sentence in page.text
    assert "result=failure" in page.way_back


async def test_sells_nothing_without_a_key(start: Any) -> None:
    sandbox = await start(api_keys={})
    page = await pressed(sandbox, "pay")
    assert page.status == 503
    assert "Сейчас банк не принимает платежи" in page.text


async def test_writes_what_it_was_given_as_text(sandbox: Any) -> None:
    page = await opened(sandbox, maas_user_id='"><script>x</script>&amp;')
    assert "<script" not in page.text
    assert page.fields["maas_user_id"] == '"><script>x</script>&amp;'


async def test_fails_on_order_as_its_neighbour_does(sandbox: Any) -> None:
    await sandbox.ok("PUT", "/_faults/vtb", None, json={"mode": "refuse"})
    assert (await opened(sandbox)).status == 409
