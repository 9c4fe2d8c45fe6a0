"""`products` fills the first screen of the app; the button of the subscription comes from maas (MA-73, MA-79)."""

from typing import Any

from sandbox import callers, languages, people, state, verticals, wire, world

NAME = "products"


async def show(here: world.World, call: wire.Call) -> Any:
    """The buttons; without a subscription, and when maas does not answer, the trap is not among them."""
    person = people.of_app(here, call.headers)
    language = languages.of(call.headers)
    taxi = {"id": "taxi", "title": languages.CATALOGUE.get(language, "Taxi"), "action": {"type": "summary"}}
    trap = await _trap(here, person, language)
    return {"products": [taxi] if trap is None else [taxi, trap]}


async def _trap(here: world.World, person: state.Person, language: str) -> dict[str, Any] | None:
    asked = {
        "yandex_uid": person.yandex_uid,
        "personal_phone_id": person.personal_phone_id,
        "phone_id": person.phone_id,
        "flags": [person.uid_kind],
        "language": language,
    }
    try:
        reply = await here.services.post(NAME, "maas", "/maas/v1/shortcut", asked)
    except callers.NoAnswer:
        return None
    shortcut = reply.payload.get("shortcut") if reply.is_ok else None
    if not shortcut:
        return None
    return {"id": verticals.MAAS, "action": {"type": "vertical_trap", "vertical": verticals.MAAS}, **shortcut}


NEIGHBOUR = wire.Neighbour(
    name=NAME,
    prefix="/passenger",
    refusal=(404, "zone_not_found"),
    is_behind_gateway=True,
    routes=(wire.Route("GET", "/products", show),),
)
