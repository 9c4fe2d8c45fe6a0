"""Flows of buying: how people register, pay, are bound to their accounts and get their promo codes."""

from typing import Any

from chaos.maas import people
from chaos.maas.people import TARIFF
from chaos.stage import Stage
from journeys.world import Answer, StepFailed, expect


async def registered(stage: Stage, uid_kind: str | None) -> dict[str, Any]:
    """Somebody whom the bank has registered."""
    person = await people.person(stage, uid_kind=uid_kind)
    who = {"maas_user_id": person["maas_user_id"], "phone": person["phone"]}
    expect(await stage.world.partner("POST", "/users/create", who), 200)
    return person


async def bought(stage: Stage, uid_kind: str | None) -> dict[str, Any]:
    """Somebody who has paid for a subscription, `pass_id`."""
    person = await registered(stage, uid_kind)
    sale = people.new_sale(person["maas_user_id"])
    expect(await stage.world.partner("POST", "/subscription/reserve", sale), 200, status="reserved")
    activated = await stage.world.partner("POST", "/subscription/activate", {"pass_id": sale["pass_id"]})
    expect(activated, 200, status="activated")
    return person | {"pass_id": sale["pass_id"]}


async def _seen(stage: Stage, person: dict[str, Any]) -> str:
    """The promo code, as the app shows it once it is there."""

    async def look() -> Answer:
        return await stage.world.passenger(person["session"], "GET", "/4.0/maas/v1/subscription/info")

    return str((await stage.world.eventually(look, lambda info: bool(info["promocode"]))).body["promocode"])


async def sale(stage: Stage) -> dict[str, Any]:
    """A person of taxi registers, reserves, pays and sees the promo code in the app."""
    person = await bought(stage, "portal")
    return person | {"promocode": await _seen(stage, person)}


async def refused_payment(stage: Stage) -> None:
    """The card is refused: the reservation is canceled."""
    person = await registered(stage, None)
    sale = people.new_sale(person["maas_user_id"])
    expect(await stage.world.partner("POST", "/subscription/reserve", sale), 200)
    expect(await stage.world.partner("POST", "/subscription/cancel", {"pass_id": sale["pass_id"]}), 200)


async def slow_payment(stage: Stage) -> None:
    """The payment takes long: the reservation is kept for it."""
    person = await registered(stage, None)
    sale = people.new_sale(person["maas_user_id"])
    expect(await stage.world.partner("POST", "/subscription/reserve", sale), 200)
    kept = await stage.world.partner("POST", "/subscription/extend", {"pass_id": sale["pass_id"]})
    expect(kept, 200, status="reserved")
    expect(await stage.world.partner("POST", "/subscription/activate", {"pass_id": sale["pass_id"]}), 200)


async def unpaid(stage: Stage) -> dict[str, Any]:
    """Somebody whose reservation, `pass_id`, time has ended."""
    person = await registered(stage, None)
    sale = people.new_sale(person["maas_user_id"])
    expect(await stage.world.partner("POST", "/subscription/reserve", sale), 200)
    past = "UPDATE subscriptions.subscriptions SET reserved_until = now() - interval '1 s' WHERE pass_id = %(pass_id)s"
    await stage.as_time("maas", past, pass_id=sale["pass_id"])
    stage.world.promised[sale["pass_id"]] = "canceled"
    return person | {"pass_id": sale["pass_id"]}


async def paid_too_late(stage: Stage) -> None:
    """The payment comes when the person has reserved another subscription: it can't be honoured."""
    person = await unpaid(stage)
    sale = people.new_sale(person["maas_user_id"])
    expect(await stage.world.partner("POST", "/subscription/reserve", sale), 200)
    late = await stage.world.partner("POST", "/subscription/activate", {"pass_id": person["pass_id"]})
    expect(late, 409, "active_subscription_exists")


async def bought_in_the_metro(stage: Stage) -> None:
    """Somebody unknown in taxi buys, and is bound when the app is opened with a phonish account."""
    person = await bought(stage, None)
    await stage.done("maas", person["maas_user_id"])  # the search by phone has found nobody
    await _seen(stage, person | await people.joins_taxi(stage, person["phone"], "phonish"))


async def shortcut(stage: Stage) -> None:
    """Somebody unknown in taxi buys, and is bound when the app shows its products."""
    person = await bought(stage, None)
    person |= await people.joins_taxi(stage, person["phone"], "portal")
    body = {name: person[name] for name in ("yandex_uid", "personal_phone_id", "phone_id")} | {"flags": ["portal"]}
    ticket = {"X-Ya-Service-Ticket": stage.world.stack["tickets"]["products"]}
    url = stage.world.url("maas") + "/maas/v1/shortcut"
    shown = expect(await stage.world.ask("POST", url, body, ticket), 200)["shortcut"]
    if shown is None or shown["pass_id"] != person["pass_id"]:
        raise StepFailed(f"the shortcut is not that of the subscription: {shown}")


async def purchase_in_the_app(stage: Stage) -> None:
    """A person of taxi registers in the app, chooses a tariff and pays at the bank with the token of the purchase."""
    person = await people.person(stage, uid_kind="portal")

    async def ask(method: str, path: str, body: Any = None) -> Any:
        return expect(await stage.world.passenger(person["session"], method, f"/4.0/maas/v1/{path}", body), 200)

    known = await ask("POST", "user/register")
    await ask("GET", "product-info")
    started = await ask("POST", "purchase/start", {"tariff_id": TARIFF["tariff_id"]})
    stage.world.keep_secret(started["user_token"])
    sale = people.new_sale(known["maas_user_id"]) | {"user_token": started["user_token"]}
    expect(await stage.world.partner("POST", "/subscription/reserve", sale), 200, status="reserved")
    expect(await stage.world.partner("POST", "/subscription/activate", {"pass_id": sale["pass_id"]}), 200)
    await _seen(stage, person)


async def stranger(stage: Stage) -> None:
    """A person of taxi who never bought anything looks."""
    person = await people.person(stage, uid_kind="portal")
    looked = await stage.world.passenger(person["session"], "GET", "/4.0/maas/v1/subscription/info")
    expect(looked, 404, "subscription_not_found")


async def another_phone(stage: Stage) -> None:
    """A person has a new phone, and the bank says so."""
    person = await registered(stage, None)
    new = await people.person(stage, uid_kind=None)
    who = {"maas_user_id": person["maas_user_id"], "phone": new["phone"]}
    expect(await stage.world.partner("POST", "/user/update", who), 200, maas_user_id=person["maas_user_id"])


async def revoked(stage: Stage) -> None:
    """Support takes a subscription back, and its promo code ends."""
    person = await sale(stage)
    await stage.command("maas", "revoke", person["pass_id"], "--reason", "a mistake", "--yes")
    stage.world.promised[person["pass_id"]] = "canceled"
    await stage.world.eventually(
        lambda: stage.world.partner("GET", f"/subscription/status?pass_id={person['pass_id']}"),
        lambda status: status["promocode_status"] == "revoked",
    )
