"""The doors of a taximeter: the truth of its speakers, and what can be wrong with it."""

from typing import Any

from sandbox import drivers, fields, wire, world
from sandbox.music import records
from sandbox.taximeter import device, fleet, speakers


class Change(fields.Strict):
    """`PUT /taximeter/{driver}`: what is named changes, the rest stays.

    `order_id` gives it a ride, `restart` switches it off and on, `offline_s` takes it off the network for so long,
    `is_online` until it is told otherwise.
    """

    order_id = fields.opaque()
    restart = fields.Flag(load_default=False)
    is_online = fields.Flag()
    offline_s = fields.Number(least=0, most=86_400)
    application_version = fields.Text(r"[0-9]{1,4}(?:\.[0-9]{1,6}){0,3}")
    has_volume = fields.Flag()
    loses_pushes = fields.Flag()
    fail_next = fields.Text(r"[a-z_]{1,64}", allow_none=True)
    apply_delay_ms = fields.Whole()
    heartbeat_s = fields.Number(least=0.05, most=3600)
    wait_ms = fields.Whole()


_SWITCHES = ("loses_pushes", "fail_next", "apply_delay_ms", "heartbeat_s", "wait_ms")


async def show(here: world.World, call: wire.Call) -> Any:
    """What is heard in the car now, and what the taximeter knows."""
    return _shown(fleet.of(here, drivers.get(here, call.path["driver"])))


async def change(here: world.World, call: wire.Call) -> Any:
    """Changes it at once."""
    driver, asked = drivers.get(here, call.path["driver"]), call.body
    if asked.get("wait_ms", 0) > device.WAIT_MS:
        raise wire.ContractViolation({"wait_ms": [f"More than {device.WAIT_MS}."]})
    found = fleet.of(here, driver)
    driver.application_version = asked.get("application_version", driver.application_version)
    here.store.save()
    for name in _SWITCHES:
        if name in asked:
            setattr(found.switches, name, asked[name])
    if "has_volume" in asked and asked["has_volume"] == (found.speakers.volume is None):
        found.speakers.volume = speakers.FIRST_VOLUME if asked["has_volume"] else None
    if "order_id" in asked:
        found.begin(asked["order_id"])
    if asked["restart"]:
        found.restart()
    _change_line(found, asked)
    found.look_again()
    return _shown(found)


def _change_line(found: device.Device, asked: dict[str, Any]) -> None:
    if "wait_ms" in asked and found.line.is_whole:
        # A poll that is being held ends with its connection.
        found.line.cut()
        found.line.mend()
    if asked.get("is_online"):
        found.go_online()
    if asked.get("is_online") is False or "offline_s" in asked:
        found.go_offline(asked.get("offline_s"))


def _shown(found: device.Device) -> dict[str, Any]:
    driver, ride = found.driver, found.ride
    token = None if ride is None else ride.sdk.token
    known = ("driver_profile_id", "park_id", "application_version", "order_id", "applied_seq")
    return {
        **found.sounds(),
        **{name: getattr(driver, name) for name in known},
        **{name: getattr(found.switches, name) for name in _SWITCHES},
        "ride": _ride(driver),
        "is_online": found.line.is_whole,
        "device_session": found.device_session,
        "report_seq": found.report_seq,
        "handled": list(driver.handled),
        "queued": [] if ride is None else sorted(ride.queue),
        "unacknowledged": [] if ride is None else list(ride.results),
        "pushes": dict(found.pushes),
        "refusals": list(found.refusals),
        "token_expires_at": None if token is None else token.expires_at,
    }


def _ride(driver: records.Driver) -> str:
    if driver.order_id is None:
        return "none"
    if driver.is_over:
        return "over"
    return "open" if driver.was_open else "waiting"


DOORS = (
    wire.Route("GET", "/taximeter/{driver}", show),
    wire.Route("PUT", "/taximeter/{driver}", change, body=Change()),
)
