"""VTB sells the pass: it names people and subscriptions, holds the tariffs, shows the page that one is bought on
(`sandbox.bank`) and is told of taxi rides.

What the bank decides otherwise (a subscription's status) the demo says through the doors that begin with `/_`.
"""

import datetime
from dataclasses import asdict
from typing import Any

from kit import clock
from sandbox import fields, state, wire, world
from sandbox.bank import metro_rides, tariffs, webview


class NewUser(fields.Strict):
    """`POST /users`."""

    phone = fields.phone(required=True)


class Tariffs(fields.Strict):
    """`GET /tariffs`."""

    maas_user_id = fields.opaque()


class NewRide(fields.Strict):
    """`POST /rides/taxi`."""

    ride_id = fields.opaque(required=True)
    pass_id = fields.opaque(required=True)
    maas_user_id = fields.opaque(required=True)
    cost = fields.money(required=True)
    finished_at = fields.Moment(required=True)
    taxi_rides_left = fields.Whole(required=True)


class Rides(fields.Strict):
    """`GET /_rides`."""

    pass_id = fields.opaque()


class SubscriptionStatus(fields.Strict):
    """`PUT /_subscriptions/{pass_id}`."""

    status = fields.Text("reserved|activated|expired|canceled", required=True)
    maas_user_id = fields.opaque()


async def create_user(here: world.World, call: wire.Call) -> Any:
    """The `maas_user_id` of a phone: made once."""
    users = here.store.state.vtb_users
    phone = call.body["phone"]
    if phone not in users:
        users[phone] = "vtb-" + state.stable_id("vtb", phone, 24)
        here.store.save()
    return {"maas_user_id": users[phone]}


async def on_sale(here: world.World, call: wire.Call) -> Any:
    """The tariffs on sale; of a person that VTB does not know there are none: 404."""
    person = call.query.get("maas_user_id")
    if person is not None and person not in here.store.state.vtb_users.values():
        raise wire.Refused(404, "not_found")
    return {"tariffs": list(tariffs.ALL)}


async def subscription(here: world.World, call: wire.Call) -> Any:
    """A subscription as VTB sees it; an activated one expires by the bank's own clock."""
    found = here.store.state.subscriptions.get(call.path["pass_id"])
    if found is None:
        raise wire.Refused(404, "not_found")
    is_over = found.status == "activated" and found.expires_at is not None and _is_past(found.expires_at)
    return {"pass_id": found.pass_id, "status": "expired" if is_over else found.status}


async def take_ride(here: world.World, call: wire.Call) -> Any:
    """Notes a taxi ride once; the same ride told differently is a conflict."""
    told = state.TaxiRide(**call.body)
    known = here.store.state.taxi_rides.get(told.ride_id)
    if known is None:
        here.store.state.taxi_rides[told.ride_id] = told
        here.store.save()
    elif known != told:
        raise wire.Refused(409, "ride_conflict")
    return {"accepted": True}


async def rides(here: world.World, call: wire.Call) -> Any:
    """The rides that VTB was told of, of one pass or all."""
    wanted = call.query.get("pass_id")
    found = here.store.state.taxi_rides.values()
    return {"rides": [asdict(ride) for ride in found if wanted in (None, ride.pass_id)]}


async def set_subscription(here: world.World, call: wire.Call) -> Any:
    """The demo bank decides about a subscription."""
    pass_id = call.path["pass_id"]
    here.store.state.subscriptions[pass_id] = state.Subscription(pass_id=pass_id, **call.body)
    here.store.save()
    return {"pass_id": pass_id, "status": call.body["status"]}


def _is_past(moment: str) -> bool:
    return datetime.datetime.fromisoformat(moment) < clock.now()


NEIGHBOUR = wire.Neighbour(
    name="vtb",
    prefix="/vtb",
    refusal=(409, "refused_by_bank"),
    routes=(
        wire.Route("POST", "/users", create_user, body=NewUser(), callers=("maas",)),
        wire.Route("GET", "/tariffs", on_sale, query=Tariffs(), callers=("maas",)),
        wire.Route("GET", "/subscriptions/{pass_id}", subscription, callers=("maas",)),
        wire.Route("POST", "/rides/taxi", take_ride, body=NewRide(), callers=("maas",)),
        wire.Route("GET", "/_rides", rides, query=Rides()),
        wire.Route("POST", "/_users", create_user, body=NewUser()),
        wire.Route("PUT", "/_subscriptions/{pass_id}", set_subscription, body=SubscriptionStatus()),
        wire.Route("POST", "/_metro_rides", metro_rides.ride, body=metro_rides.NewMetroRide()),
        wire.Route("GET", "/_metro_rides", metro_rides.rides, query=metro_rides.MetroRides()),
        *webview.ROUTES,
    ),
)
