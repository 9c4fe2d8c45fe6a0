"""A metro-and-taxi subscription is sold by the bank and ridden (maas, maas-authproxy).

Anna is known in taxi, so the bank's registration finds her account; Boris buys in the metro first and is bound when
he opens the app. Steps of MX-16..20, MA-44..51, MA-63..69, MA-84, MA-90..92, MA-96, MA-97, MA-101, MA-104.
"""

import datetime
import secrets
from typing import Any

from journeys.world import Answer, StepFailed, World, expect
from testkit import clock

TARIFF = {
    "tariff_id": "metro-taxi-10",
    "price": {"amount": "2990.00", "currency": "RUB"},
    "taxi_rides": 10,
    "duration_days": 30,
}
HOME = {"lat": 55.733969, "lon": 37.587093}
AT_PARK_KULTURY = {"lat": 55.735150, "lon": 37.593030}
FAR_AWAY = {"lat": 55.790000, "lon": 37.740000}
A_FRIEND = {"lat": 55.738000, "lon": 37.590000}


async def play(world: World) -> None:
    """Every step, in order; StepFailed at the first that goes wrong."""
    run = secrets.token_hex(4)
    anna = await _person(world, run, in_taxi=True)
    await _strangers_are_refused(world, run)
    pass_id = await _sold(world, run, anna)
    promocode = await _code_arrives(world, pass_id, anna)
    await _stations(world, anna)
    await _ride_to_the_metro(world, pass_id, promocode, anna)
    await _refused_rides(world, promocode, anna)
    await _bank_is_told(world, pass_id)
    await _bought_in_the_metro(world, run)
    await _expires(world, pass_id, promocode, anna, run)


async def _person(world: World, run: str, *, in_taxi: bool) -> dict[str, Any]:
    phone = f"+7916{secrets.randbelow(10**7):07}"
    world.keep_secret(phone)
    person: dict[str, Any] = {"phone": phone, "maas_user_id": f"maas-{run}-{secrets.token_hex(2)}"}
    if in_taxi:
        person |= await _joins_taxi(world, phone)
    return person


async def _joins_taxi(world: World, phone: str) -> dict[str, Any]:
    joined = await world.sandbox("POST", "/_people", {"phone": phone, "uid_kind": "portal", "in_taxi": True})
    body: dict[str, Any] = expect(joined, 200)
    return body


async def _strangers_are_refused(world: World, run: str) -> None:
    sale = {"pass_id": f"pass-{run}-0", "maas_user_id": "nobody", "tariff": TARIFF}
    with world.step("A stranger without a key is refused at the edge"):
        expect(await world.partner("POST", "/subscription/reserve", sale, key=None), 401, "api_key_invalid")
        expect(await world.partner("POST", "/subscription/reserve", sale, key="vtb-1.guess"), 401, "api_key_invalid")


async def _sold(world: World, run: str, person: dict[str, Any]) -> str:
    who = {"maas_user_id": person["maas_user_id"], "phone": person["phone"]}
    pass_id = f"pass-{run}-1"
    sale = {"pass_id": pass_id, "maas_user_id": person["maas_user_id"], "tariff": TARIFF}
    with world.step("VTB registers Anna by her phone"):
        expect(await world.partner("POST", "/users/create", who), 200, maas_user_id=person["maas_user_id"])
    with world.step("VTB reserves a subscription before the payment, and may repeat itself"):
        first = expect(await world.partner("POST", "/subscription/reserve", sale), 200, status="reserved")
        again = expect(await world.partner("POST", "/subscription/reserve", sale), 200, status="reserved")
        if first != again:
            raise StepFailed(f"a repeat answered {again}, not {first}")
    with world.step("A second subscription for Anna is refused"):
        second = sale | {"pass_id": f"pass-{run}-2"}
        expect(await world.partner("POST", "/subscription/reserve", second), 409, "active_subscription_exists")
    with world.step("Anna has paid: VTB activates"):
        expect(await world.partner("POST", "/subscription/activate", {"pass_id": pass_id}), 200, status="activated")
    return pass_id


async def _code_arrives(world: World, pass_id: str, person: dict[str, Any]) -> str:
    with world.step("The promo code arrives, carried by RabbitMQ"):
        await world.eventually(
            lambda: world.partner("GET", f"/subscription/status?pass_id={pass_id}"),
            lambda status: status["promocode_status"] == "issued",
        )
    with world.step("Anna opens the app and sees ten rides"):
        return await _app_shows(world, person, left=10)


async def _app_shows(world: World, person: dict[str, Any], *, left: int) -> str:
    def is_it(info: Any) -> bool:
        return bool(info["promocode"] and info["rides"]["left"] == left)

    async def look() -> Answer:
        return await world.passenger(person["session"], "GET", "/4.0/maas/v1/subscription/info")

    shown = await world.eventually(look, is_it)
    return str(shown.body["promocode"])


async def _stations(world: World, person: dict[str, Any]) -> None:
    with world.step("Anna asks for the stations near Leo Tolstoy Street 16"):
        answer = await world.passenger(
            person["session"], "POST", "/4.0/maas/v1/nearest-metro", {"point_a": HOME, "limit": 3}
        )
        found = expect(answer, 200)
        if found["selected"]["name"] != "Парк культуры":
            raise StepFailed(f"the nearest station is {found['selected']['name']}")
    with world.step("The metro's own app gets the same answer"):
        query = f"/nearest-metro?lat_a={HOME['lat']}&lon_a={HOME['lon']}&limit=3"
        if expect(await world.partner("GET", query), 200) != found:
            raise StepFailed("the partner sees other stations than the passenger")


def _order(person: dict[str, Any], promocode: str, **changed: Any) -> dict[str, Any]:
    return {
        "session": person["session"],
        "promocode": promocode,
        "route": {"a": HOME, "b": AT_PARK_KULTURY, "intermediate": []},
        "price": {"amount": "180.00", "currency": "RUB"},
        "payment_method": "card",
    } | changed


async def _ride_to_the_metro(world: World, pass_id: str, promocode: str, person: dict[str, Any]) -> None:
    with world.step("A ride to the metro is offered, driven and completed by the subscription"):
        order = expect(await world.ordered(_order(person, promocode)), 200, status="assigned")
        finished = await world.sandbox("POST", f"/processing/orders/{order['order_id']}/finish", {})
        ride = expect(finished, 200, status="finished")["ride"]
        if ride["state"] != "used":
            raise StepFailed(f"the ride was not used: {ride}")
    with world.step("Nine rides are left, as the app and the partner see it"):
        await _app_shows(world, person, left=9)
        info = expect(await world.partner("GET", f"/subscription/info?pass_id={pass_id}"), 200)
        if info["rides"] != {"total": 10, "used": 1, "held": 0, "left": 9}:
            raise StepFailed(f"the partner sees {info['rides']}")


async def _refused_rides(world: World, promocode: str, person: dict[str, Any]) -> None:
    to_metro = {"a": HOME, "b": AT_PARK_KULTURY, "intermediate": []}
    refused = (
        ("that is too long", "distance_too_long", {"route": to_metro | {"a": FAR_AWAY}}),
        (
            "with a stop on the way",
            "intermediate_points_not_allowed",
            {"route": to_metro | {"intermediate": [A_FRIEND]}},
        ),
        ("paid in cash", "payment_method_not_allowed", {"payment_method": "cash"}),
        ("that costs too much", "price_limit_exceeded", {"price": {"amount": "1000.01", "currency": "RUB"}}),
    )
    for what, code, change in refused:
        with world.step(f"A ride {what} is refused with its reason"):
            answer = await world.ordered(_order(person, promocode, **change))
            if answer.status != 409 or answer.body.get("refused") != code:
                raise StepFailed(f"expected {code}, got {answer}")
    with world.step("Not one of them cost a ride"):
        await _app_shows(world, person, left=9)


async def _bank_is_told(world: World, pass_id: str) -> None:
    with world.step("VTB is told of the ride, once"):
        await world.eventually(
            lambda: world.sandbox("GET", f"/vtb/_rides?pass_id={pass_id}"),
            lambda told: [ride["taxi_rides_left"] for ride in told["rides"]] == [9],
        )


async def _bought_in_the_metro(world: World, run: str) -> None:
    boris = await _person(world, run, in_taxi=False)
    who = {"maas_user_id": boris["maas_user_id"], "phone": boris["phone"]}
    sale = {"pass_id": f"pass-{run}-3", "maas_user_id": boris["maas_user_id"], "tariff": TARIFF}
    with world.step("Boris, unknown in taxi, buys in the metro; no code can be issued yet"):
        expect(await world.partner("POST", "/users/create", who), 200, matched=False)
        expect(await world.partner("POST", "/subscription/reserve", sale), 200, status="reserved")
        activated = await world.partner("POST", "/subscription/activate", {"pass_id": sale["pass_id"]})
        expect(activated, 200, status="activated")
        info = await world.partner("GET", f"/subscription/info?pass_id={sale['pass_id']}")
        expect(info, 200, promocode_status="none")
    with world.step("Boris installs the app: looking binds him, and his code follows"):
        boris |= await _joins_taxi(world, boris["phone"])
        await _app_shows(world, boris, left=10)


async def _expires(world: World, pass_id: str, promocode: str, person: dict[str, Any], run: str) -> None:
    with world.step("Thirty-one days pass (everything that maas remembers is moved into the past)"):
        dsn = world.stack["databases"]["maas"]
        await clock.advance(dsn, datetime.timedelta(days=31), schemas=("subscriptions",))
        info = await world.partner("GET", f"/subscription/info?pass_id={pass_id}")
        expect(info, 200, status="expired")
    with world.step("The code pays no more"):
        answer = await world.ordered(_order(person, promocode))
        if answer.status != 409 or answer.body.get("refused") != "subscription_not_active":
            raise StepFailed(f"expected subscription_not_active, got {answer}")
    with world.step("Anna may buy the next one"):
        sale = {"pass_id": f"pass-{run}-4", "maas_user_id": person["maas_user_id"], "tariff": TARIFF}
        expect(await world.partner("POST", "/subscription/reserve", sale), 200, status="reserved")
        expect(
            await world.partner("POST", "/subscription/cancel", {"pass_id": sale["pass_id"]}), 200, status="canceled"
        )
