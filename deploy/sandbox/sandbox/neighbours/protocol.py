"""`protocol` answers routestats: what a route costs in which tariff, and why a tariff can't be had (MA-74, MA-95).

The restriction of the subscription's vertical is computed by the plugin that `clients.maas` brings for protocol, so
this module alone of the sandbox imports a client: it plays the process in which that plugin runs.
"""

from collections.abc import Mapping
from typing import Any

from clients import maas
from sandbox import fields, languages, people, state, verticals, wire, world
from sandbox.neighbours import coupons


class RouteStats(fields.Strict):
    """`POST /3.0/routestats`; with `vertical` it is asked from the trap of that vertical, and shows that one alone."""

    route = fields.route(required=True)
    payment_method = fields.Text("card|cash", required=True)
    promocode = fields.opaque()
    vertical = fields.Text(verticals.MAAS)


async def routestats(here: world.World, call: wire.Call) -> Any:
    """Tariffs with prices; an ordinary summary knows nothing of the subscription (MA-74), the trap nothing else."""
    person = people.of_app(here, call.headers)
    asked, language = call.body, languages.of(call.headers)
    if "vertical" not in asked:
        ordinary = [vertical for vertical in verticals.ALL if not vertical.is_for_pass]
        return {"tariffs": [tariff for vertical in ordinary for tariff in _tariffs(vertical, asked)]}
    tariffs = _tariffs(verticals.get(asked["vertical"]), asked)
    for tariff in tariffs:
        verdict = await _verdict(here, person, asked, tariff["price"])
        restriction = maas.restriction_of(verdict, language=language)
        if restriction is not None:
            tariff["tariff_unavailable"] = restriction.to_wire()
    return {"tariffs": tariffs}


def _tariffs(vertical: verticals.Vertical, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    route = asked["route"]
    points = [route["a"], *route["intermediate"], route["b"]]
    return [
        {"vertical": vertical.vertical_id, "tariff": tariff, "price": verticals.price(per_km, points)}
        for tariff, per_km in vertical.tariffs.items()
    ]


async def _verdict(
    here: world.World, person: state.Person, asked: Mapping[str, Any], price: Mapping[str, str]
) -> maas.Verdict:
    """Whether the code pays; without one, or with an ordinary one, there is no subscription to ride by (MA-79)."""
    code = asked.get("promocode")
    if coupons.service_of(here, code) != coupons.MAAS:
        return maas.Verdict(valid=False, valid_any=False, code="subscription_not_active", message=None, details={})
    ride = {name: asked[name] for name in ("promocode", "route", "payment_method")}
    found = await coupons.check(here, ride | {"yandex_uid": person.yandex_uid, "stage": "offer", "price": price})
    if found.get("error_code") == "check_unavailable":
        # Who has a subscription is not to be sent to buy another one.
        raise wire.Refused(503, "service_unavailable")
    return maas.Verdict(
        valid=found["valid"],
        valid_any=found["valid_any"],
        code=found.get("error_code"),
        message=found.get("message"),
        details=found.get("details", {}),
    )


NEIGHBOUR = wire.Neighbour(
    name="protocol",
    prefix="/passenger",
    refusal=(404, "route_not_found"),
    is_behind_gateway=True,
    routes=(wire.Route("POST", "/3.0/routestats", routestats, body=RouteStats()),),
)
