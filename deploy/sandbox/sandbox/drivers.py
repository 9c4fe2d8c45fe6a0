"""The demo drivers: who they are to their gateway; each has a taximeter."""

from typing import Any

from multidict import MultiMapping

from sandbox import fields, state, wire, world
from sandbox.music import records

VERSION = "9.70"
_NAME = r"[A-Za-z0-9_-]{1,64}"


class NewDriver(fields.Strict):
    """`POST /_drivers`."""

    park_id = fields.Text(_NAME, load_default="demo-park")
    driver_profile_id = fields.Text(_NAME)
    application_version = fields.Text(r"[0-9]{1,4}(?:\.[0-9]{1,6}){0,3}")


async def create(here: world.World, call: wire.Call) -> Any:
    """Makes a driver, or brings the one with this `driver_profile_id` up to date; a driver keeps the park."""
    asked = call.body
    driver_id = asked.get("driver_profile_id") or state.fresh_id()
    drivers = here.store.state.drivers
    driver = drivers.get(driver_id)
    if driver is None:
        driver = records.Driver(state.fresh_id(), asked["park_id"], driver_id, VERSION)
        drivers[driver_id] = driver
    elif driver.park_id != asked["park_id"]:
        raise wire.Refused(409, "driver_of_another_park")
    driver.application_version = asked.get("application_version", driver.application_version)
    here.store.save()
    return {name: getattr(driver, name) for name in ("session", "park_id", "driver_profile_id")}


def get(here: world.World, driver_id: str) -> records.Driver:
    """The driver with this `driver_profile_id`; 404 when there is none."""
    found = here.store.state.drivers.get(driver_id)
    if found is None:
        raise wire.Refused(404, "driver_not_found")
    return found


def of_taximeter(here: world.World, headers: MultiMapping[str]) -> records.Driver:
    """The driver whose session the taximeter sends; 401 when it sends none that is known."""
    scheme, _, session = headers.get("Authorization", "").partition(" ")
    for driver in here.store.state.drivers.values():
        if scheme.lower() == "bearer" and driver.session == session:
            return driver
    raise wire.Refused(401, "unauthorized", "The session is not known.")


DOORS = (wire.Route("POST", "/_drivers", create, body=NewDriver(), may_be_empty=True),)
