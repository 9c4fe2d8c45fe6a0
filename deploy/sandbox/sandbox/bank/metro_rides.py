"""Rides by metro: Mosmetro counts them, and the bank tells maas of each until maas has answered."""

from typing import Any

from sandbox import callers, fields, state, wire, world
from sandbox.bank.sales import PARTNER

_PATH = "/maas-authproxy/v1/rides/metro"


class NewMetroRide(fields.Strict):
    """`POST /_metro_rides`."""

    pass_id = fields.opaque(required=True)
    maas_user_id = fields.opaque(required=True)
    station = fields.Text(required=True)
    at = fields.Moment(required=True)


class MetroRides(fields.Strict):
    """`GET /_metro_rides`."""

    pass_id = fields.opaque()


async def ride(here: world.World, call: wire.Call) -> Any:
    """A person enters the metro, and the ride is reported; the same pass, station and time are one ride."""
    told = call.body
    ride_id = "metro-" + state.stable_id("metro", f"{told['pass_id']} {told['station']} {told['at']}", 24)
    async with here.lock_of(ride_id):
        found = here.store.state.metro_rides.setdefault(ride_id, state.MetroRide(ride_id, **told))
        found.is_owed = True
        here.store.save()
        reply = await _report(here, found)
    if reply is None:
        raise wire.Refused(502, "maas_unavailable", "maas did not answer; it will be told again.", ride_id=ride_id)
    return wire.answer({"ride_id": ride_id, **reply.payload}, reply.status)


async def rides(here: world.World, call: wire.Call) -> Any:
    """The rides by metro of one pass or all."""
    wanted = call.query.get("pass_id")
    found = here.store.state.metro_rides.values()
    return {"rides": [_shown(ride) | {"is_owed": ride.is_owed} for ride in found if wanted in (None, ride.pass_id)]}


async def pay_debts(here: world.World) -> None:
    """Tells maas once more of every ride that it has not answered for."""
    for owed in [ride for ride in here.store.state.metro_rides.values() if ride.is_owed]:
        lock = here.lock_of(owed.ride_id)
        if not lock.locked():
            async with lock:
                await _report(here, owed)


async def _report(here: world.World, ride: state.MetroRide) -> callers.Reply | None:
    try:
        reply = await here.services.post_as_partner(PARTNER, _PATH, {"rides": [_shown(ride)]})
    except callers.NoAnswer:
        return None
    # Another answer than yes or a refusal of this ride (a key that expired) leaves it owed.
    ride.is_owed = not reply.is_ok and reply.status not in (400, 404, 409)
    here.store.save()
    return reply


def _shown(ride: state.MetroRide) -> dict[str, str]:
    names = ("ride_id", "maas_user_id", "pass_id", "station", "at")
    return {name: getattr(ride, name) for name in names}
