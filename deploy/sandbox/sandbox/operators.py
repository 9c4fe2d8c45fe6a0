"""The operators' doors: what was received, what was wrong, and who is to fail."""

import datetime
from typing import Any

import marshmallow as ma

from sandbox import faults, fields, wire, world
from sandbox.taximeter import fleet


class LogQuery(fields.Strict):
    """`GET /_log`: calls of one neighbour; `since` is a `seq` (later ones) or a time in RFC 3339."""

    neighbour = fields.Text(r"[a-z-]{0,64}")
    since = fields.Text(r"[0-9TZ:.+ -]{0,64}")


class Order(fields.Strict):
    """`PUT /_faults/{neighbour}`."""

    mode = fields.Text("|".join(faults.MODES), required=True)
    delay_ms = fields.Whole(load_default=1000)
    share = fields.Number(least=0, most=1, load_default=1.0)
    times = fields.Whole(least=1, load_default=None, allow_none=True)

    @ma.post_load
    def _fault(self, data: dict[str, Any], **_: Any) -> faults.Fault:
        return faults.Fault(**data)


class Nothing(fields.Strict):
    """An empty object."""


async def ping(here: world.World, call: wire.Call) -> Any:
    """Alive."""
    return {"status": "ok"}


async def log(here: world.World, call: wire.Call) -> Any:
    """The calls received, oldest first; a bounded number is kept."""
    after, since = _since(call.query.get("since") or "0")
    return {"calls": here.journal.calls(call.query.get("neighbour") or None, after, since)}


async def stats(here: world.World, call: wire.Call) -> Any:
    """Counters by neighbour and the last broken contracts."""
    return here.journal.stats()


async def show_faults(here: world.World, call: wire.Call) -> Any:
    """The orders in force."""
    return {"faults": here.faults.to_wire()}


async def order_fault(here: world.World, call: wire.Call) -> Any:
    """Makes a neighbour fail from the next call on; the mode `ok` heals it."""
    here.faults.order(call.path["neighbour"], call.body)
    return {"faults": here.faults.to_wire()}


async def clear_faults(here: world.World, call: wire.Call) -> Any:
    """Heals everybody."""
    here.faults.clear()
    return {"faults": here.faults.to_wire()}


async def reset(here: world.World, call: wire.Call) -> Any:
    """The world of the first day: no people, no codes, no calls, no faults."""
    fleet.stop(here)
    here.store.reset()
    here.switches.clear()
    here.journal.clear()
    here.faults.clear()
    here.locks.clear()
    return {"status": "ok"}


def _since(text: str) -> tuple[int, datetime.datetime | None]:
    if text.isdecimal():
        return int(text), None
    try:
        # A plus sign that was not escaped arrives as a space.
        found = datetime.datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise wire.ContractViolation({"since": ["Neither a number nor a time with offset."]})
    return 0, found


def doors(neighbours: tuple[wire.Neighbour, ...]) -> tuple[wire.Route, ...]:
    """The operators' routes; faults can be ordered for `neighbours`."""
    names = "|".join(neighbour.name for neighbour in neighbours)
    return (
        wire.Route("GET", "/ping", ping),
        wire.Route("GET", "/_log", log, query=LogQuery()),
        wire.Route("GET", "/_stats", stats),
        wire.Route("GET", "/_faults", show_faults),
        wire.Route("PUT", f"/_faults/{{neighbour:{names}}}", order_fault, body=Order()),
        wire.Route("DELETE", "/_faults", clear_faults),
        wire.Route("POST", "/_reset", reset, body=Nothing(), may_be_empty=True),
    )
