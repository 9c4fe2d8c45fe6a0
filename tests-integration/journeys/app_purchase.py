"""A subscription is bought in the app: the bank's page, the hidden vertical, a ride (maas, maas-authproxy).

Vera has never heard of the metro's subscription. Steps of MX-21, MA-31, MA-53..58, MA-73..81, MA-95, MA-98, MA-100.
"""

import html
import re
import secrets
from typing import Any

from journeys.metro_subscription import TARIFF as CONDITIONS
from journeys.world import StepFailed, World, expect

TARIFF = str(CONDITIONS["tariff_id"])
HOME = {"lat": 55.733969, "lon": 37.587093}
AT_PARK_KULTURY = {"lat": 55.735150, "lon": 37.593030}
CROSSROADS = {"lat": 55.728000, "lon": 37.570000}
POINTS_MESSAGE = "Для выбранных точек A и B поездка недоступна, попробуйте изменить маршрут"
CARD = {"type": "card", "id": "card-4242"}
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


async def play(world: World) -> None:
    """Every step, in order; StepFailed at the first that goes wrong."""
    vera = await _vera(world)
    maas_user_id = await _registers(world, vera)
    await _card_is_refused(world, vera)
    pass_id = await _pays(world, vera)
    promocode = await _button_and_code(world, vera, maas_user_id)
    await _prices(world, vera, promocode)
    await _rides(world, vera, promocode)
    await _deep_link(world, vera, pass_id)
    await _metro_ride(world, pass_id, maas_user_id)


async def _vera(world: World) -> str:
    phone = f"+7917{secrets.randbelow(10**7):07}"
    world.keep_secret(phone)
    joined = await world.sandbox("POST", "/_people", {"phone": phone, "uid_kind": "portal", "in_taxi": True})
    return str(expect(joined, 200)["session"])


async def _registers(world: World, vera: str) -> str:
    with world.step("Vera has no subscription: no button, no subscription page"):
        await _has_button(world, vera, False)
        info = await world.passenger(vera, "GET", "/4.0/maas/v1/subscription/info")
        expect(info, 404, "subscription_not_found")
    with world.step("The page of tariffs asks her to register with the bank"):
        expect(await world.passenger(vera, "GET", "/4.0/maas/v1/product-info"), 401, "maas_user_not_found")
    with world.step("She agrees to give her phone; asking twice gives the same"):
        first = expect(await world.passenger(vera, "POST", "/4.0/maas/v1/user/register", {}), 200)
        again = expect(await world.passenger(vera, "POST", "/4.0/maas/v1/user/register", {}), 200)
        if first != again or not first["maas_user_id"]:
            raise StepFailed(f"registered as {first} and as {again}")
    with world.step("Now she sees the tariffs of the bank that taxi agreed to, with texts for people"):
        shown = expect(await world.passenger(vera, "GET", "/4.0/maas/v1/product-info"), 200)
        titles = {tariff["tariff_id"]: tariff["title"] for tariff in shown["tariffs"]}
        if TARIFF not in titles or not re.search("[а-я]", titles[TARIFF]) or shown["subscription"] is not None:
            raise StepFailed(f"the page shows {shown}")
    return str(first["maas_user_id"])


async def _bank_page(world: World, vera: str) -> tuple[str, dict[str, str]]:
    started = expect(await world.passenger(vera, "POST", "/4.0/maas/v1/purchase/start", {"tariff_id": TARIFF}), 200)
    page = await world.page(started["webview_url"])
    return started["webview_url"].partition("?")[0], {
        name: html.unescape(value) for name, value in _FIELD.findall(page)
    }


async def _card_is_refused(world: World, vera: str) -> None:
    with world.step("She opens the bank's page and her card is refused"):
        url, form = await _bank_page(world, vera)
        page = await world.page(url, form | {"choice": "decline"})
        if "result=failure" not in page:
            raise StepFailed("the page does not lead back with a failure")
    with world.step("Nothing is left of it: the reservation is given back"):
        info = await world.passenger(vera, "GET", "/4.0/maas/v1/subscription/info")
        if info.status == 200 and info.body["status"] != "canceled":
            raise StepFailed(f"she sees {info}")
        await _has_button(world, vera, False)
    with world.step("The token of that page buys nothing any more, whoever brings it"):
        page = await world.page(url, form | {"choice": "pay"})
        sale = {"pass_id": f"pass-{secrets.token_hex(4)}", "maas_user_id": form["maas_user_id"], "tariff": CONDITIONS}
        stolen = await world.partner("POST", "/subscription/reserve", sale | {"user_token": form["user_token"]})
        expect(stolen, 403, "user_token_mismatch")
        if "result=success" in page:
            raise StepFailed("one purchase token was used twice")


async def _pays(world: World, vera: str) -> str:
    with world.step("She tries again and pays; the form is sent twice, as by an impatient finger"):
        url, form = await _bank_page(world, vera)
        first = await world.page(url, form | {"choice": "pay"})
        second = await world.page(url, form | {"choice": "pay"})
        found = [re.search(r"result=success&amp;pass_id=([\w-]+)", page) for page in (first, second)]
        if None in found or len({each.group(1) for each in found if each}) != 1:
            raise StepFailed("the two pages do not name one success")
    return str(found[0].group(1)) if found[0] else ""


async def _has_button(world: World, vera: str, wanted: bool) -> None:
    shown = expect(await world.passenger(vera, "GET", "/products"), 200)
    traps = [product for product in shown["products"] if product["action"]["type"] == "vertical_trap"]
    if bool(traps) is not wanted:
        raise StepFailed(f"the app shows {shown['products']}")


async def _button_and_code(world: World, vera: str, maas_user_id: str) -> str:
    with world.step("The button is in /products, and leads to a vertical that is hidden elsewhere"):
        await _has_button(world, vera, True)
        zone = expect(await world.passenger(vera, "GET", "/zoneinfo"), 200)
        flags = {
            each["vertical"]: (each["hidden_until_received"], each["used_for_pass_rides"]) for each in zone["verticals"]
        }
        if flags != {"taxi": (False, False), "maas": (True, True)}:
            raise StepFailed(f"the verticals are {flags}")
    with world.step("Her promo code comes with the subscription, and not among the ordinary ones"):
        shown = await world.eventually(
            lambda: world.passenger(vera, "GET", "/4.0/maas/v1/subscription/info"), lambda info: bool(info["promocode"])
        )
        code = str(shown.body["promocode"])
        ordinary = expect(await world.passenger(vera, "GET", "/3.0/promocodes"), 200)["promocodes"]
        if code in [each["promocode"] for each in ordinary]:
            raise StepFailed("the code is among the ordinary ones")
    with world.step("A second subscription is refused before the bank is bothered"):
        again = await world.passenger(vera, "POST", "/4.0/maas/v1/purchase/start", {"tariff_id": TARIFF})
        expect(again, 409, "active_subscription_exists")
    return code


async def _priced(world: World, vera: str, **changed: Any) -> Any:
    asked = {"route": {"a": HOME, "b": AT_PARK_KULTURY, "intermediate": []}, "payment_method": "card"} | changed
    return expect(await world.passenger(vera, "POST", "/3.0/routestats", asked), 200)["tariffs"]


async def _prices(world: World, vera: str, promocode: str) -> None:
    trap = {"vertical": "maas", "promocode": promocode}
    far = {"route": {"a": HOME, "b": CROSSROADS, "intermediate": []}}
    with world.step("An ordinary summary knows nothing of the subscription"):
        if {tariff["vertical"] for tariff in await _priced(world, vera)} != {"taxi"}:
            raise StepFailed("the hidden vertical is shown")
    with world.step("From the button, a ride to the metro is offered"):
        if [tariff.get("tariff_unavailable") for tariff in await _priced(world, vera, **trap)] != [None]:
            raise StepFailed("a good ride is not offered")
    for what, change, action, message in (
        ("away from the metro asks for other points", far, "change_points", POINTS_MESSAGE),
        ("paid in cash asks for a card", {"payment_method": "cash"}, "change_payment_method", None),
        ("with a code of nobody leads to the purchase", {"promocode": "METRO-NOBODY"}, "purchase", None),
    ):
        with world.step(f"A ride {what}"):
            refused = (await _priced(world, vera, **(trap | change)))[0]["tariff_unavailable"]
            if refused["action"] != action or message not in (None, refused["message"].rstrip(".")):
                raise StepFailed(f"the app is told {refused}")


async def _rides(world: World, vera: str, promocode: str) -> None:
    chosen = {"selected_options_in_verticals": {"maas": {"payment_method": CARD}}}
    with world.step("The card that she chose in this vertical is kept"):
        expect(await world.passenger(vera, "PUT", "/personalstate", chosen), 200)
        if expect(await world.passenger(vera, "GET", "/personalstate"), 200) != chosen:
            raise StepFailed("the card is forgotten")
    with world.step("She rides to the metro, and nine rides are left"):
        order = {
            "session": vera,
            "promocode": promocode,
            "route": {"a": HOME, "b": AT_PARK_KULTURY, "intermediate": []},
            "price": {"amount": "180.00", "currency": "RUB"},
            "payment_method": "card",
        }
        made = expect(await world.ordered(order), 200, status="assigned")
        expect(await world.sandbox("POST", f"/processing/orders/{made['order_id']}/finish", {}), 200, status="finished")
        shown = expect(await world.passenger(vera, "GET", "/4.0/maas/v1/subscription/info"), 200)
        if shown["rides"]["left"] != 9:
            raise StepFailed(f"she sees {shown['rides']}")


async def _deep_link(world: World, vera: str, pass_id: str) -> None:
    with world.step("The metro's app sends her back by a deep link; one call answers it whole"):
        asked = {"point_a": HOME, "pass_id": None}
        found = expect(await world.passenger(vera, "POST", "/4.0/maas/v1/nearest-metro", asked), 200)
        if found["selected"] is None or found["subscription"]["pass_id"] != pass_id:
            raise StepFailed(f"the link is answered by {found}")


async def _metro_ride(world: World, pass_id: str, maas_user_id: str) -> None:
    with world.step("She goes through a gate of the metro, and the bank reports it through the edge"):
        ride = {"pass_id": pass_id, "maas_user_id": maas_user_id, "station": "Парк культуры"}
        ride["at"] = expect(await world.sandbox("GET", f"/vtb/_sales?maas_user_id={maas_user_id}"), 200)["sales"][-1][
            "made_at"
        ]
        expect(await world.sandbox("POST", "/vtb/_metro_rides", ride), 200)
