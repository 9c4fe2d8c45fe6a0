"""`user-api` knows which phones use taxi."""

from typing import Any

from sandbox import fields, people, wire, world


class ByPersonal(fields.Strict):
    """`POST /user_phones/by_personal/retrieve`."""

    personal_phone_id = fields.opaque(required=True)
    type = fields.Text("yandex", required=True)


async def by_personal(here: world.World, call: wire.Call) -> Any:
    """The `phone_id` of a phone; 404 when nobody with it uses taxi."""
    wanted = call.body["personal_phone_id"]
    phone = here.store.state.phones.get(wanted)
    if phone is None or not people.with_phone_id(here, people.phone_id(phone)):
        raise wire.Refused(404, "not_found")
    return {"id": people.phone_id(phone), "personal_phone_id": wanted}


NEIGHBOUR = wire.Neighbour(
    name="user-api",
    prefix="/user-api",
    refusal=(404, "not_found"),
    routes=(
        wire.Route("POST", "/user_phones/by_personal/retrieve", by_personal, body=ByPersonal(), callers=("maas",)),
    ),
)
