"""`personal` keeps phones and gives out ids for them: the same phone has the same id, always."""

import re
from typing import Any

import marshmallow as ma

from sandbox import fields, people, wire, world

_PHONE = re.compile(r"\+[1-9][0-9]{9,14}")


class Item(fields.Strict):
    """One phone, valid or not: what is not a phone is refused, not a broken contract."""

    value = fields.Text(required=True)


class BulkStore(fields.Strict):
    """`POST /v1/phones/bulk_store`."""

    validate_phones = fields.Flag(required=True, data_key="validate")
    items = ma.fields.List(ma.fields.Nested(Item), required=True, validate=ma.validate.Length(min=1, max=100))


class Retrieve(fields.Strict):
    """`POST /v1/phones/retrieve`."""

    id = fields.opaque(required=True)


async def bulk_store(here: world.World, call: wire.Call) -> Any:
    """Ids for the phones, in their order."""
    values = [item["value"] for item in call.body["items"]]
    if call.body["validate_phones"] and not all(_PHONE.fullmatch(value) for value in values):
        raise wire.Refused(400, "invalid_phone")
    known = len(here.store.state.phones)
    items = [{"id": people.personal_phone_id(here, value), "value": value} for value in values]
    if len(here.store.state.phones) != known:
        here.store.save()
    return {"items": items}


async def retrieve(here: world.World, call: wire.Call) -> Any:
    """The phone of an id."""
    value = here.store.state.phones.get(call.body["id"])
    if value is None:
        raise wire.Refused(404, "not_found")
    return {"id": call.body["id"], "value": value}


NEIGHBOUR = wire.Neighbour(
    name="personal",
    prefix="/personal",
    refusal=(400, "invalid_phone"),
    routes=(
        wire.Route("POST", "/v1/phones/bulk_store", bulk_store, body=BulkStore(), callers=("maas",)),
        wire.Route("POST", "/v1/phones/retrieve", retrieve, body=Retrieve(), callers=("maas",)),
    ),
)
