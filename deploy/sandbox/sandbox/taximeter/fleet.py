"""All taximeters: found by driver, told of orders and pushes, stopped and started with the world."""

from collections.abc import Mapping
from typing import Any

from sandbox import world
from sandbox.music import records
from sandbox.taximeter import device


def start(here: world.World) -> None:
    """Switches on every taximeter that has a ride, as after a power cut."""
    for driver in here.store.state.drivers.values():
        if driver.order_id is not None and not driver.is_over:
            of(here, driver)


def stop(here: world.World) -> None:
    """Switches all of them off."""
    for one in here.devices.values():
        one.stop()
    here.devices.clear()


def of(here: world.World, driver: records.Driver) -> device.Device:
    """The taximeter of a driver."""
    found = here.devices.get(driver.driver_profile_id)
    if found is None:
        found = here.devices[driver.driver_profile_id] = device.Device(here, driver)
    return found


def assign(here: world.World, driver: records.Driver, order_id: str) -> None:
    """The driver got this order."""
    of(here, driver).begin(order_id)


def ride_over(here: world.World, order_id: str) -> None:
    """The order ended; a taximeter that plays learns it from music alone, by 410."""
    for one in list(here.devices.values()):
        one.never_opened(order_id)


def push(here: world.World, asked: Mapping[str, Any]) -> str:
    """A push has arrived at the driver's phone, if there is one; says what became of it."""
    driver = here.store.state.drivers.get(asked["driver_profile_id"])
    if driver is None or driver.park_id != asked["park_id"]:
        return "nobody"
    return of(here, driver).hear(asked["payload"])
