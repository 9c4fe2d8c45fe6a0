"""The gateway of the taximeter: it knows whose session it is, says so in headers and passes the request on.

Whatever identity the taximeter itself claims is dropped: only the headers named here go on.
"""

from collections.abc import Mapping
from typing import Any

from sandbox import drivers, gateway, wire, world
from sandbox.music import records

GATEWAY = gateway.Gateway(name="driver-authproxy", strip="", owners=(("/driver/v1/music/", "music"),))


async def forward(here: world.World, call: wire.Call) -> Any:
    """Authorises and forwards to the service that owns the path; its answer comes back as it is."""
    driver = drivers.of_taximeter(here, call.headers)
    return await GATEWAY.pass_on(here, call, identity(driver))


def identity(driver: records.Driver) -> Mapping[str, str]:
    """The headers that say who the driver is."""
    return {
        "X-YaTaxi-Park-Id": driver.park_id,
        "X-YaTaxi-Driver-Profile-Id": driver.driver_profile_id,
        "X-Request-Application": "taximeter",
        "X-Request-Application-Version": driver.application_version,
    }


NEIGHBOUR = wire.Neighbour(
    name=GATEWAY.name,
    prefix="/driver",
    refusal=(401, "unauthorized"),
    routes=tuple(wire.Route(method, "/{tail:.*}", forward, is_proxy=True) for method in ("GET", "POST")),
)
