"""`communications` pushes to taximeters, and promises nothing (M-22): pushes get lost, doubled and overtaken."""

import asyncio
from dataclasses import asdict
from typing import Any

import marshmallow as ma

from kit import clock
from sandbox import faults, fields, state, wire, world
from sandbox.music import records, switches
from sandbox.taximeter import fleet

NAME = "communications"
KEPT = 1_000
_OVERTAKEN_S = 0.5


class Payload(fields.Strict):
    """What the taximeter is told: there are commands up to this one."""

    order_id = fields.opaque(required=True)
    player_id = fields.opaque(required=True)
    up_to_seq = fields.Whole(least=1, required=True)


class NewPush(fields.Strict):
    """`POST /v1/driver-push`."""

    park_id = fields.opaque(required=True)
    driver_profile_id = fields.opaque(required=True)
    code = fields.Text("music_commands", required=True)
    ttl_s = fields.Whole(least=1, required=True)
    idempotency_token = fields.opaque(required=True)
    payload = ma.fields.Nested(Payload, required=True)


class NewAir(fields.Strict):
    """`PUT /_air`: how pushes travel from now on."""

    loss_share = fields.Number(least=0, most=1, load_default=0.0)
    delay_ms = fields.Whole(load_default=0)
    duplicates_share = fields.Number(least=0, most=1, load_default=0.0)
    is_reordered = fields.Flag(load_default=False)


class OfDriver(fields.Strict):
    """`GET /_pushes`."""

    driver_profile_id = fields.opaque()


async def push(here: world.World, call: wire.Call) -> Any:
    """Takes a push; the same token again is the same push, and is not sent again."""
    asked, pushes = call.body, here.store.state.pushes
    known = pushes.get(asked["idempotency_token"])
    if known is None:
        known = records.Push(state.fresh_id(), clock.to_wire(clock.now()), asked)
        pushes[asked["idempotency_token"]] = known
        while len(pushes) > KEPT:
            del pushes[next(iter(pushes))]
        _send(here, known)
        here.store.save()
    elif known.asked != asked:
        raise wire.Refused(409, "idempotency_token_reused")
    return {"push_id": known.push_id}


async def set_air(here: world.World, call: wire.Call) -> Any:
    """From now on pushes travel like this."""
    asked = call.body
    here.switches.pushes = switches.Air(
        loss=faults.Fault("lost", share=asked["loss_share"]),
        delay_ms=asked["delay_ms"],
        duplicates=faults.Fault("twice", share=asked["duplicates_share"]),
        is_reordered=asked["is_reordered"],
    )
    return asked


async def log(here: world.World, call: wire.Call) -> Any:
    """The last pushes, oldest first, with what became of each."""
    wanted = call.query.get("driver_profile_id")
    found = here.store.state.pushes.values()
    return {"pushes": [asdict(one) for one in found if wanted in (None, one.asked["driver_profile_id"])]}


def _send(here: world.World, sent: records.Push) -> None:
    air = here.switches.pushes
    air.sent += 1
    if air.loss.strikes():
        sent.fate = "lost"
        return
    delay_s = air.delay_ms / 1000 + (_OVERTAKEN_S if air.is_reordered and air.sent % 2 else 0)
    for _ in range(2 if air.duplicates.strikes() else 1):
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, _deliver, here, sent, delay_s)
        else:
            _deliver(here, sent, 0.0)


def _deliver(here: world.World, sent: records.Push, after_s: float) -> None:
    if after_s > sent.asked["ttl_s"]:
        sent.fate = "late"
        return
    fate = fleet.push(here, sent.asked)
    sent.fate = fate
    sent.delivered += fate == "delivered"


NEIGHBOUR = wire.Neighbour(
    name=NAME,
    prefix="/communications",
    refusal=(404, "driver_not_found"),
    routes=(
        wire.Route("POST", "/v1/driver-push", push, body=NewPush(), callers=("music",)),
        wire.Route("PUT", "/_air", set_air, body=NewAir(), may_be_empty=True),
        wire.Route("GET", "/_pushes", log, query=OfDriver()),
    ),
)
