"""A purchase from the button to its end: reserve, charge, activate; every step is repeated until maas has answered.

A sale is written down before maas is told, with what is still owed to it, so that a bank that was killed in the middle
goes on after the restart with the same `pass_id`. Nothing is charged before the reservation is answered.
"""

from collections.abc import Callable
from typing import Any

from kit import clock
from sandbox import callers, state, world
from sandbox.bank import tariffs

PARTNER = "vtb"
_ANSWERS = (404, 409)


def pass_of(user_token: str) -> str:
    """The one pass that a purchase token may buy, however often its page is sent."""
    return "vtb-" + state.stable_id("vtb-pass", user_token, 16)


async def buy(here: world.World, *, user_token: str, maas_user_id: str, tariff_id: str, card: str) -> state.Sale:
    """Sells what the page offered, as far as maas answers now; a token that was sent before gets the sale it made."""
    pass_id = pass_of(user_token)
    async with here.lock_of(pass_id):
        sale = here.store.state.sales.get(pass_id)
        if sale is None:
            made_at = clock.to_wire(clock.now())
            sale = state.Sale(pass_id, maas_user_id, tariff_id, card, made_at, user_token)
            here.store.state.sales[pass_id] = sale
            here.store.save()
            await _settle(here, sale)
        return sale


async def pay_debts(here: world.World) -> None:
    """Goes on with every sale that maas has not answered for."""
    for sale in [one for one in here.store.state.sales.values() if one.owed]:
        lock = here.lock_of(sale.pass_id)
        if not lock.locked():
            async with lock:
                await _settle(here, sale)


async def _settle(here: world.World, sale: state.Sale) -> None:
    while sale.owed is not None:
        path = f"/maas-authproxy/v1/subscription/{sale.owed}"
        try:
            reply = await here.services.post_as_partner(PARTNER, path, _asked(sale))
        except callers.NoAnswer:
            return
        if not _STEPS[sale.owed](here, sale, reply):
            return
        here.store.save()


def _asked(sale: state.Sale) -> dict[str, Any]:
    if sale.owed == "cancel":
        return {"pass_id": sale.pass_id, "reason": "payment_failed"}
    if sale.owed == "activate":
        return {"pass_id": sale.pass_id}
    return {
        "pass_id": sale.pass_id,
        "maas_user_id": sale.maas_user_id,
        "tariff": tariffs.find(sale.tariff_id),
        "user_token": sale.user_token,
    }


def _reserved(here: world.World, sale: state.Sale, reply: callers.Reply) -> bool:
    """The reservation is answered, so the card is charged; a refusal of any kind charges nothing."""
    sale.user_token = None
    if not reply.is_ok:
        sale.status, sale.owed, sale.refused = "refused", None, reply.code
        return True
    _see(here, sale, "reserved", reply)
    sale.status, sale.owed = ("paid", "activate") if sale.card == "good" else ("declined", "cancel")
    return True


def _activated(here: world.World, sale: state.Sale, reply: callers.Reply) -> bool:
    """A paid sale ends with its activation; only when maas says that there will be none the money goes back."""
    if reply.is_ok:
        sale.status, sale.owed = "activated", None
        _see(here, sale, "activated", reply)
        return True
    if reply.status in _ANSWERS:
        sale.status, sale.owed, sale.refused = "refunded", None, reply.code
        _see(here, sale, "canceled", reply)
        return True
    return False


def _canceled(here: world.World, sale: state.Sale, reply: callers.Reply) -> bool:
    """The reservation is given back, or is not there any more."""
    if not reply.is_ok and reply.status not in _ANSWERS:
        return False
    sale.owed = None
    _see(here, sale, "canceled", reply)
    return True


_STEPS: dict[str, Callable[[world.World, state.Sale, callers.Reply], bool]] = {
    "reserve": _reserved,
    "activate": _activated,
    "cancel": _canceled,
}


def _see(here: world.World, sale: state.Sale, status: str, reply: callers.Reply) -> None:
    """What the bank's own books say of the subscription."""
    here.store.state.subscriptions[sale.pass_id] = state.Subscription(
        sale.pass_id, status, sale.maas_user_id, reply.payload.get("expiration_datetime")
    )
