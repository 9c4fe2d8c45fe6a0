"""Order processing: it keeps the rides and tells maas of each what became of it, until maas has answered.

An order is written down before maas is told, with what is still owed to it, so that a world that was killed in the
middle pays its debts after the restart: an unfinished hold is released, a finished ride is completed.
"""

from typing import Any

from kit import clock
from sandbox import callers, fields, people, state, wire, world
from sandbox.neighbours import coupons, plain_orders

NAME = "processing"


class NewOrder(fields.Strict):
    """`POST /orders`."""

    session = fields.opaque(required=True)
    promocode = fields.opaque(required=True)
    route = fields.route(required=True)
    price = fields.money(required=True)
    payment_method = fields.Text("card|cash", required=True)


class Finish(fields.Strict):
    """`POST /orders/{order_id}/finish`: what turned out differently."""

    b = fields.point()
    price = fields.money()
    paid_waiting = fields.money()


class Cancel(fields.Strict):
    """`POST /orders/{order_id}/cancel`; an empty object."""


async def create(here: world.World, call: wire.Call) -> Any:
    """Checks the promo code as an offer does, holds the ride in maas and assigns the order; 409 says who refused."""
    asked = dict(call.body)
    person = people.by_session(here, asked.pop("session"))
    order = state.Order(order_id=state.fresh_id(), yandex_uid=person.yandex_uid, **asked)
    async with here.lock_of(order.order_id):
        verdict = await coupons.check(here, _ride(order) | {"stage": "offer"})
        if not verdict["valid"]:
            return _refuse(here, order, str(verdict.get("error_code", "promocode_invalid")), verdict)
        return await _hold(here, order)


async def finish(here: world.World, call: wire.Call) -> Any:
    """Ends the ride and completes it in maas; a repeated finish gives the stored answer."""
    order = _order(here, call)
    async with here.lock_of(order.order_id):
        if order.status == "assigned":
            order.status, order.owed, order.ending = "finishing", "complete", _ending(order, call.body)
            here.store.save()
        elif order.status not in ("finishing", "finished"):
            raise wire.Refused(409, f"order_{order.status}")
        await _settle_or_502(here, order)
    return {"order_id": order.order_id, "status": order.status, "ride": order.ride}


async def cancel(here: world.World, call: wire.Call) -> Any:
    """Ends the order without a ride and releases the hold in maas; again is the same."""
    order = _order(here, call)
    async with here.lock_of(order.order_id):
        if order.status == "assigned":
            order.status, order.owed = "canceled", "release"
            here.store.save()
        elif order.status != "canceled":
            raise wire.Refused(409, f"order_{order.status}")
        await _settle_or_502(here, order)
    return {"order_id": order.order_id, "status": order.status}


async def show(here: world.World, call: wire.Call) -> Any:
    """The order as it stands; `owed` is what maas has not been told yet."""
    order = _order(here, call)
    shown = ("order_id", "status", "promocode", "route", "price", "payment_method", "refused", "owed", "ride")
    return {name: getattr(order, name) for name in shown}


async def pay_debts(here: world.World) -> None:
    """Tells maas once more of every order that it has not answered for."""
    for order in [one for one in here.store.state.orders.values() if one.owed]:
        lock = here.lock_of(order.order_id)
        if not lock.locked():
            async with lock:
                await _settle(here, order)


async def _hold(here: world.World, order: state.Order) -> Any:
    order.owed = "release"
    here.store.state.orders[order.order_id] = order
    here.store.save()
    try:
        reply = await here.services.post(NAME, "maas", "/maas/v1/rides/hold", _ride(order))
    except callers.NoAnswer:
        order.status = "failed"
        here.store.save()
        raise wire.Refused(502, "maas_unavailable", "maas did not answer; the hold is being released.") from None
    if not reply.is_ok:
        return _refuse(here, order, reply.code, reply.payload)
    order.status, order.owed = "assigned", None
    here.store.save()
    return {"order_id": order.order_id, "status": order.status}


def _refuse(here: world.World, order: state.Order, code: str, why: dict[str, Any]) -> Any:
    order.status, order.refused, order.owed = "refused", code, None
    here.store.state.orders[order.order_id] = order
    here.store.save()
    extra = {name: why[name] for name in ("message", "details", "valid_any") if name in why}
    return wire.answer({"order_id": order.order_id, "refused": code, **extra}, status=409)


async def _settle_or_502(here: world.World, order: state.Order) -> None:
    if not await _settle(here, order):
        raise wire.Refused(502, "maas_unavailable", "maas did not answer; it will be told again.")


async def _settle(here: world.World, order: state.Order) -> bool:
    """Pays what is owed; False when maas gave no answer. A refusal is an answer: telling it again would not help."""
    if order.owed is None:
        return True
    body: dict[str, Any] = {"order_id": order.order_id}
    if order.owed == "complete" and order.ending is not None:
        body = order.ending
    try:
        reply = await here.services.post(NAME, "maas", f"/maas/v1/rides/{order.owed}", body)
    except callers.NoAnswer:
        return False
    if order.owed == "complete":
        order.status, order.ride = "finished", reply.payload
    elif order.status == "created":
        order.status = "failed"
    order.owed = None
    here.store.save()
    return True


def _order(here: world.World, call: wire.Call) -> state.Order:
    found = here.store.state.orders.get(call.path["order_id"])
    if found is None:
        raise wire.Refused(404, "order_not_found")
    return found


def _ride(order: state.Order) -> dict[str, Any]:
    shared = ("order_id", "promocode", "yandex_uid", "route", "price", "payment_method")
    return {name: getattr(order, name) for name in shared}


def _ending(order: state.Order, turned_out: dict[str, Any]) -> dict[str, Any]:
    ending = {
        "order_id": order.order_id,
        "route": order.route | {"b": turned_out.get("b", order.route["b"])},
        "planned_b": order.route["b"],
        "price": turned_out.get("price", order.price),
        "payment_method": order.payment_method,
        "finished_at": clock.to_wire(clock.now()),
    }
    waiting = turned_out.get("paid_waiting")
    return ending if waiting is None else ending | {"paid_waiting": waiting}


NEIGHBOUR = wire.Neighbour(
    name=NAME,
    prefix="/processing",
    refusal=(409, "no_drivers"),
    routes=(
        wire.Route("POST", "/orders", create, body=NewOrder()),
        wire.Route("GET", "/orders/{order_id}", show),
        wire.Route("POST", "/orders/{order_id}/finish", finish, body=Finish(), may_be_empty=True),
        wire.Route("POST", "/orders/{order_id}/cancel", cancel, body=Cancel(), may_be_empty=True),
        *plain_orders.ROUTES,
    ),
)
