"""`coupons` gives promo codes and says whether one may be used: one code per token for ever, and for a maas code it
asks maas (MA-91).
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import marshmallow as ma

from kit import clock
from sandbox import callers, fields, state, wire, world


class Generate(fields.Strict):
    """`POST /internal/generate`; the header `X-Idempotency-Token` repeats the token."""

    token = fields.opaque(required=True)
    series_id = fields.opaque(required=True)
    yandex_uids = ma.fields.List(fields.uid(), required=True, validate=ma.validate.Length(min=1, max=10))
    rides = fields.Whole(least=1, required=True)
    expires_at = fields.Moment(required=True)
    service = fields.Text("maas", required=True)


class Deactivate(fields.Strict):
    """`POST /internal/deactivate`."""

    promocode = fields.opaque(required=True)
    token = fields.opaque(required=True)


class Check(fields.Strict):
    """`POST /coupons/couponcheck`; the same fields go on to maas."""

    promocode = fields.opaque(required=True)
    yandex_uid = fields.uid(required=True)
    order_id = fields.opaque()
    stage = fields.Text("offer|completion", required=True)
    route = fields.route(required=True)
    planned_b = fields.point()
    price = fields.money(required=True)
    paid_waiting = fields.money()
    payment_method = fields.Text(required=True)


async def generate(here: world.World, call: wire.Call) -> Any:
    """The code of this token: the same for the same uids, a conflict for others."""
    asked = call.body
    if call.headers.get("X-Idempotency-Token") != asked["token"]:
        raise wire.ContractViolation({"X-Idempotency-Token": ["does not equal the token"]})
    known = _of_token(here, asked["token"])
    if known is None:
        known = state.Promocode(
            promocode=_new_code(here),
            token=asked["token"],
            series_id=asked["series_id"],
            yandex_uids=sorted(asked["yandex_uids"]),
            rides=asked["rides"],
            expires_at=asked["expires_at"],
        )
        here.store.state.promocodes[known.promocode] = known
        here.store.state.codes_by_token[known.token] = known.promocode
        here.store.save()
    elif known.yandex_uids != sorted(asked["yandex_uids"]):
        raise wire.Refused(409, "token_conflict")
    return {"promocode": known.promocode, "series_id": known.series_id}


async def deactivate(here: world.World, call: wire.Call) -> Any:
    """Ends a code; again is the same."""
    known = here.store.state.promocodes.get(call.body["promocode"])
    if known is None or known.token != call.body["token"]:
        raise wire.Refused(404, "not_found")
    if known.status != "deactivated":
        known.status = "deactivated"
        here.store.save()
    return {"status": known.status}


async def couponcheck(here: world.World, call: wire.Call) -> Any:
    """Whether a code may be used for this ride; always 200, the verdict is in `valid`."""
    return await check(here, call.body)


async def check(here: world.World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict as couponcheck answers it; when maas can't be asked the ride is refused (MA-93)."""
    refused = _refused_here(here, asked)
    if refused is not None:
        return {"valid": False, "valid_any": False, "error_code": refused}
    try:
        reply = await here.services.post("coupons", "maas", "/maas/v1/check-promocode", asked)
    except callers.NoAnswer:
        return {"valid": False, "valid_any": False, "error_code": "check_unavailable"}
    if not reply.is_ok:
        return {"valid": False, "valid_any": False, "error_code": reply.code}
    verdict: dict[str, Any] = {name: bool(reply.payload.get(name)) for name in ("valid", "valid_any")}
    if reply.payload.get("code"):
        verdict["error_code"] = reply.payload["code"]
    return verdict | {name: reply.payload[name] for name in ("message", "details") if reply.payload.get(name)}


async def codes(here: world.World, call: wire.Call) -> Any:
    """Every code that was made, in its order."""
    return {"codes": [asdict(code) for code in here.store.state.promocodes.values()]}


def _refused_here(here: world.World, asked: Mapping[str, Any]) -> str | None:
    known = here.store.state.promocodes.get(asked["promocode"])
    if known is None:
        return "unknown_promocode"
    if known.status != "active":
        return "promocode_deactivated"
    if known.expires_at < clock.to_wire(clock.now()):
        return "promocode_expired"
    return None if asked["yandex_uid"] in known.yandex_uids else "promocode_of_another_user"


def _of_token(here: world.World, token: str) -> state.Promocode | None:
    code = here.store.state.codes_by_token.get(token)
    return None if code is None else here.store.state.promocodes[code]


def _new_code(here: world.World) -> str:
    while (code := "METRO" + state.fresh_id(8).upper()) in here.store.state.promocodes:
        pass
    return code


NEIGHBOUR = wire.Neighbour(
    name="coupons",
    prefix="/coupons",
    refusal=(409, "series_exhausted"),
    routes=(
        wire.Route("POST", "/internal/generate", generate, body=Generate(), callers=("maas",)),
        wire.Route("POST", "/internal/deactivate", deactivate, body=Deactivate(), callers=("maas",)),
        wire.Route("POST", "/couponcheck", couponcheck, body=Check()),
        wire.Route("GET", "/_codes", codes),
    ),
)
