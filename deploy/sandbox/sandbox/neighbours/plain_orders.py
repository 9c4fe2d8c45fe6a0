"""Rides without a promo code, as order processing moves them; music is told of each event (M-33)."""

from typing import Any

from sandbox import drivers, fields, people, state, wire, world
from sandbox.music import events, records, switches
from sandbox.taximeter import fleet


class NewOrder(fields.Strict):
    """`POST /plain_orders`: who rides with whom; what the app and the city are is passed on."""

    session = fields.opaque(required=True)
    driver_profile_id = fields.opaque(required=True)
    application = fields.Text(load_default="iphone")
    application_version = fields.Text(load_default="600.0.0")
    city = fields.Text(load_default="moscow")


class NewDriver(fields.Strict):
    """`POST /plain_orders/{order_id}/driver`."""

    driver_profile_id = fields.opaque(required=True)


class Finish(fields.Strict):
    """`POST /plain_orders/{order_id}/finish`."""

    reason = fields.Text(r"[a-z_]{1,64}", load_default="complete")


class Nothing(fields.Strict):
    """An empty object."""


class NewHabits(fields.Strict):
    """`PUT /_events`: how events are told from now on."""

    is_twice = fields.Flag(load_default=False)
    late_ms = fields.Whole(load_default=0)
    is_swapped = fields.Flag(load_default=False)


class OfOrder(fields.Strict):
    """`GET /_events`."""

    order_id = fields.opaque(required=True)


async def create(here: world.World, call: wire.Call) -> Any:
    """Makes an order that already has its driver; a music that does not answer delays no ride."""
    asked = call.body
    person = people.by_session(here, asked["session"])
    driver = drivers.get(here, asked["driver_profile_id"])
    about = {name: asked[name] for name in ("application", "application_version", "city")}
    order = records.PlainOrder(
        order_id=state.fresh_id(),
        yandex_uid=person.yandex_uid,
        driver_profile_id=driver.driver_profile_id,
        passenger={
            "yandex_uid": person.yandex_uid,
            "flags": people.flags(person),
            "phone_id": person.phone_id,
            **about,
        },
    )
    here.store.state.plain_orders[order.order_id] = order
    async with here.lock_of(order.order_id):
        return await _assign(here, order, driver)


async def change_driver(here: world.World, call: wire.Call) -> Any:
    """Gives an unfinished order to another driver; to the same one again changes nothing."""
    order, driver = _order(here, call), drivers.get(here, call.body["driver_profile_id"])
    async with here.lock_of(order.order_id):
        _refuse_finished(order)
        if order.driver_profile_id == driver.driver_profile_id:
            return _shown(here, order)
        order.driver_profile_id = driver.driver_profile_id
        return await _assign(here, order, driver)


async def transport(here: world.World, call: wire.Call) -> Any:
    """The passenger is in the car; again is the same."""
    order = _order(here, call)
    _refuse_finished(order)
    order.status = "transporting"
    here.store.save()
    return _shown(here, order)


async def finish(here: world.World, call: wire.Call) -> Any:
    """Ends the ride; again is the same."""
    order = _order(here, call)
    async with here.lock_of(order.order_id):
        if order.status != "finished":
            order.status = "finished"
            fleet.ride_over(here, order.order_id)
            await events.happened(here, order, "close", {"reason": call.body["reason"]}, is_last=True)
        return _shown(here, order)


async def show(here: world.World, call: wire.Call) -> Any:
    """The order as it stands; `owed` is how many events music has not answered yet."""
    return _shown(here, _order(here, call))


async def set_habits(here: world.World, call: wire.Call) -> Any:
    """From now on events are told like this."""
    here.switches.events = switches.Habits(**call.body)
    return call.body


async def show_events(here: world.World, call: wire.Call) -> Any:
    """The events of an order with music's first answer to each."""
    shown = ("event_seq", "verb", "body", "left", "answer")
    found = events.of_order(here, call.query["order_id"])
    return {"events": [{name: getattr(event, name) for name in shown} for event in found]}


async def _assign(here: world.World, order: records.PlainOrder, driver: records.Driver) -> Any:
    fleet.assign(here, driver, order.order_id)
    told = {
        "passenger": order.passenger,
        "driver": {name: getattr(driver, name) for name in ("park_id", "driver_profile_id", "application_version")},
    }
    await events.happened(here, order, "create", told)
    return _shown(here, order)


def _shown(here: world.World, order: records.PlainOrder) -> dict[str, Any]:
    of_order = events.of_order(here, order.order_id)
    answer = next((event.answer for event in reversed(of_order) if event.verb == "create" and event.answer), None)
    return {
        "order_id": order.order_id,
        "status": order.status,
        "driver_profile_id": order.driver_profile_id,
        "owed": sum(event.left > 0 for event in of_order),
        "music": answer,
    }


def _order(here: world.World, call: wire.Call) -> records.PlainOrder:
    found = here.store.state.plain_orders.get(call.path["order_id"])
    if found is None:
        raise wire.Refused(404, "order_not_found")
    return found


def _refuse_finished(order: records.PlainOrder) -> None:
    if order.status == "finished":
        raise wire.Refused(409, "order_finished")


_ONE = "/plain_orders/{order_id}"
ROUTES = (
    wire.Route("POST", "/plain_orders", create, body=NewOrder()),
    wire.Route("GET", _ONE, show),
    wire.Route("POST", f"{_ONE}/driver", change_driver, body=NewDriver()),
    wire.Route("POST", f"{_ONE}/transporting", transport, body=Nothing(), may_be_empty=True),
    wire.Route("POST", f"{_ONE}/finish", finish, body=Finish(), may_be_empty=True),
    wire.Route("PUT", "/_events", set_habits, body=NewHabits(), may_be_empty=True),
    wire.Route("GET", "/_events", show_events, query=OfOrder()),
)
