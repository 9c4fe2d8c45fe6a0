"""`coupons` gives promo codes and says whether one may be used: one code per token for ever, and for a maas code it
asks maas (MA-91). To the app it shows a person's codes without those of maas (MA-78, MA-98).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import marshmallow as ma

from kit import clock
from sandbox import callers, fields, state, wire, world

MAAS = "maas"
_MOST_ASKED = 500


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


class NewCode(fields.Strict):
    """`POST /_codes`: an ordinary code for a person, as for a friend's first ride."""

    yandex_uid = fields.uid(required=True)
    series_id = fields.opaque(load_default="welcome")


async def generate(here: world.World, call: wire.Call) -> Any:
    """The code of this token: the same for the same uids, a conflict for others."""
    asked = call.body
    if call.headers.get("X-Idempotency-Token") != asked["token"]:
        raise wire.ContractViolation({"X-Idempotency-Token": ["does not equal the token"]})
    known = _of_token(here, asked["token"])
    if known is None:
        known = state.Promocode(
            promocode=_new_code(here, "METRO"),
            token=asked["token"],
            series_id=asked["series_id"],
            yandex_uids=sorted(asked["yandex_uids"]),
            rides=asked["rides"],
            expires_at=asked["expires_at"],
            service=asked["service"],
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
    if service_of(here, asked["promocode"]) != MAAS:
        return {"valid": True, "valid_any": True}
    try:
        reply = await here.services.post("coupons", MAAS, "/maas/v1/check-promocode", asked)
    except callers.NoAnswer:
        return {"valid": False, "valid_any": False, "error_code": "check_unavailable"}
    if not reply.is_ok:
        return {"valid": False, "valid_any": False, "error_code": reply.code}
    verdict: dict[str, Any] = {name: bool(reply.payload.get(name)) for name in ("valid", "valid_any")}
    if reply.payload.get("code"):
        verdict["error_code"] = reply.payload["code"]
    return verdict | {name: reply.payload[name] for name in ("message", "details") if reply.payload.get(name)}


def service_of(here: world.World, promocode: str | None) -> str | None:
    """Which service a code pays for; None when there is no such code."""
    known = here.store.state.promocodes.get(promocode or "")
    return None if known is None else known.service


async def shown(here: world.World, yandex_uid: str) -> list[state.Promocode]:
    """A person's codes that the app may offer for an ordinary ride: those that maas does not call its own."""
    found = [
        code
        for code in here.store.state.promocodes.values()
        if _refused_here(here, {"promocode": code.promocode, "yandex_uid": yandex_uid}) is None
    ]
    hidden = await _of_maas(here, found)
    return [code for code in found if code.promocode not in hidden]


async def _of_maas(here: world.World, asked: Sequence[state.Promocode]) -> set[str]:
    """Which of the codes are maas's; when it can't be asked, those that were made for it."""
    hidden: set[str] = set()
    for start in range(0, len(asked), _MOST_ASKED):
        part = asked[start : start + _MOST_ASKED]
        try:
            body = {"promocodes": [code.promocode for code in part]}
            reply = await here.services.post("coupons", MAAS, "/maas/v1/promocodes/filter", body)
            hidden |= set(reply.payload["ours"])
        except (callers.NoAnswer, KeyError):
            hidden |= {code.promocode for code in part if code.service == MAAS}
    return hidden


async def new_code(here: world.World, call: wire.Call) -> Any:
    """Gives a person an ordinary code."""
    made = state.Promocode(
        promocode=_new_code(here, "TAXI"),
        token=state.fresh_id(),
        series_id=call.body["series_id"],
        yandex_uids=[call.body["yandex_uid"]],
        rides=1,
        expires_at="2099-01-01T00:00:00+00:00",
        service="taxi",
    )
    here.store.state.promocodes[made.promocode] = made
    here.store.save()
    return {"promocode": made.promocode, "series_id": made.series_id}


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


def _new_code(here: world.World, word: str) -> str:
    while (code := word + state.fresh_id(8).upper()) in here.store.state.promocodes:
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
        wire.Route("POST", "/_codes", new_code, body=NewCode()),
    ),
)
