"""`personal` keeps phones and gives ids for them; a phone itself is stored nowhere else (MA-34)."""

from typing import Any

import marshmallow as ma

from kit import fields, http_client


class PhoneInvalid(http_client.NeighbourRefused):
    """The phone is not one."""


class PhoneUnknown(http_client.NeighbourRefused):
    """There is no phone with this id."""


class _ItemSchema(http_client.Answer):
    id = fields.Id(required=True)
    value = ma.fields.String(required=True)


class _ItemsSchema(http_client.Answer):
    items = ma.fields.List(ma.fields.Nested(_ItemSchema), required=True, validate=ma.validate.Length(equal=1))


_ITEM = _ItemSchema()
_ITEMS = _ItemsSchema()


class Personal(http_client.Client):
    """The keeper of phones."""

    name = "personal"

    async def store_phone(self, phone: str) -> str:
        """The `personal_phone_id` of a phone (E.164), made when it is new; always the same. PhoneInvalid."""
        found: dict[str, Any] = await self._call(
            "POST",
            "/v1/phones/bulk_store",
            operation="bulk_store",
            body={"validate": True, "items": [{"value": phone}]},
            answer=_ITEMS,
            is_idempotent=True,
            # An id that nobody got to know changes nothing for anybody.
            changes=False,
            refusals={"invalid_phone": PhoneInvalid},
        )
        return str(found["items"][0]["id"])

    async def get_phone(self, personal_phone_id: str) -> str:
        """The phone of an id; it is to be sent on, never stored or logged. PhoneUnknown."""
        found: dict[str, Any] = await self._call(
            "POST",
            "/v1/phones/retrieve",
            operation="retrieve",
            body={"id": personal_phone_id},
            answer=_ITEM,
            is_idempotent=True,
            changes=False,
            refusals={"not_found": PhoneUnknown},
        )
        return str(found["value"])
