"""`totw` tells the app how the order stands, and whether it has music, so that others never poll for it (M-27)."""

from typing import Any

from sandbox import callers, fields, people, wire, world

NAME = "totw"
_NO_MUSIC = {"enabled": False}


class Query(fields.Strict):
    """`GET /4.0/totw`."""

    order_id = fields.opaque(required=True)


async def show(here: world.World, call: wire.Call) -> Any:
    """The order of this person; a music that does not answer is no music for now."""
    person = people.of_app(here, call.headers)
    order_id = call.query["order_id"]
    kept = here.store.state
    order = kept.plain_orders.get(order_id) or kept.orders.get(order_id)
    if order is None or order.yandex_uid != person.yandex_uid:
        raise wire.Refused(404, "order_not_found")
    return {"order_id": order_id, "status": order.status, "music": await _music(here, order_id, person.yandex_uid)}


async def _music(here: world.World, order_id: str, yandex_uid: str) -> dict[str, Any]:
    asked = {"order_id": order_id, "yandex_uid": yandex_uid}
    try:
        reply = await here.services.get(NAME, "music", "/internal/music/v1/totw", asked)
    except callers.NoAnswer:
        return _NO_MUSIC
    return reply.payload if reply.is_ok else _NO_MUSIC


NEIGHBOUR = wire.Neighbour(
    name=NAME,
    prefix="/passenger",
    refusal=(404, "order_not_found"),
    is_behind_gateway=True,
    routes=(wire.Route("GET", "/4.0/totw", show, query=Query()),),
)
