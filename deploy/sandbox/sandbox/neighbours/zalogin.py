"""`zalogin` knows which accounts belong to a phone, and to each other."""

from typing import Any

from sandbox import fields, people, wire, world


class PhoneInfo(fields.Strict):
    """`GET /v1/internal/phone-info`."""

    phone_id = fields.opaque(required=True)


class UidInfo(fields.Strict):
    """`GET /v1/internal/uid-info`."""

    yandex_uid = fields.uid(required=True)


async def phone_info(here: world.World, call: wire.Call) -> Any:
    """All accounts of a phone."""
    found = people.with_phone_id(here, call.query["phone_id"])
    if not found:
        raise wire.Refused(404, "not_found")
    return {"items": [{"yandex_uid": person.yandex_uid, "type": person.uid_kind} for person in found]}


async def uid_info(here: world.World, call: wire.Call) -> Any:
    """The account, and for a phonish the portal account of the same phone when there is one."""
    person = here.store.state.people.get(call.query["yandex_uid"])
    if person is None:
        raise wire.Refused(404, "not_found")
    info = {"yandex_uid": person.yandex_uid, "type": person.uid_kind}
    if person.uid_kind == "phonish":
        same_phone = people.with_phone_id(here, person.phone_id)
        portal = next((one.yandex_uid for one in same_phone if one.uid_kind == "portal"), None)
        return info if portal is None else info | {"portal_uid": portal}
    return info


NEIGHBOUR = wire.Neighbour(
    name="zalogin",
    prefix="/zalogin",
    refusal=(404, "not_found"),
    routes=(
        wire.Route("GET", "/v1/internal/phone-info", phone_info, query=PhoneInfo(), callers=("maas",)),
        wire.Route("GET", "/v1/internal/uid-info", uid_info, query=UidInfo(), callers=("maas",)),
    ),
)
