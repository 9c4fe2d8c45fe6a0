"""`api-proxy` tells the app what there is in its zone, and which promo codes the person may choose from."""

from typing import Any

from sandbox import languages, people, verticals, wire, world
from sandbox.neighbours import coupons


async def zoneinfo(here: world.World, call: wire.Call) -> Any:
    """The verticals; the subscription's one is hidden until routestats or the trap shows it (MA-75..77)."""
    people.of_app(here, call.headers)
    language = languages.of(call.headers)
    return {"zone": "moscow", "verticals": [_shown(vertical, language) for vertical in verticals.ALL]}


async def promocodes(here: world.World, call: wire.Call) -> Any:
    """The person's ordinary codes; the subscription's comes by subscription/info alone (MA-78, MA-98)."""
    person = people.of_app(here, call.headers)
    names = ("promocode", "series_id", "expires_at")
    found = await coupons.shown(here, person.yandex_uid)
    return {"promocodes": [{name: getattr(code, name) for name in names} for code in found]}


def _shown(vertical: verticals.Vertical, language: str) -> dict[str, Any]:
    return {
        "vertical": vertical.vertical_id,
        "title": languages.CATALOGUE.get(language, vertical.title),
        "tariffs": list(vertical.tariffs),
        "payment_methods": list(vertical.payment_methods),
        "hidden_until_received": vertical.is_for_pass,
        "used_for_pass_rides": vertical.is_for_pass,
    }


NEIGHBOUR = wire.Neighbour(
    name="api-proxy",
    prefix="/passenger",
    refusal=(404, "zone_not_found"),
    is_behind_gateway=True,
    routes=(wire.Route("GET", "/zoneinfo", zoneinfo), wire.Route("GET", "/3.0/promocodes", promocodes)),
)
