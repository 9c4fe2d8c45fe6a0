"""`zalogin` knows which accounts belong to a phone and to each other (MA-37)."""

from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from kit import fields, http_client


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a phone; `kind` is `portal` for a full one, `phonish` for one that is only a phone."""

    yandex_uid: str
    kind: str


class _NotFound(http_client.NeighbourRefused):
    """There is no such account."""


class _AccountSchema(http_client.Answer):
    yandex_uid = fields.Uid(required=True)
    kind = fields.Text(longest=32, required=True, data_key="type")

    @ma.post_load
    def _account(self, data: dict[str, Any], **_: Any) -> Account:
        return Account(**data)


class _PhoneInfoSchema(http_client.Answer):
    items = ma.fields.List(ma.fields.Nested(_AccountSchema), required=True)


class _UidInfoSchema(http_client.Answer):
    portal_uid = fields.Uid(load_default=None, allow_none=True)


_PHONE_INFO = _PhoneInfoSchema()
_UID_INFO = _UidInfoSchema()


class Zalogin(http_client.Client):
    """The accounts."""

    name = "zalogin"

    async def phone_info(self, phone_id: str) -> list[Account]:
        """Every account of a phone; an empty list for an unknown phone."""
        found = await self._asked("/v1/internal/phone-info", "phone_info", {"phone_id": phone_id}, _PHONE_INFO)
        return [] if found is None else list(found["items"])

    async def find_portal_uid(self, yandex_uid: str) -> str | None:
        """The portal account of the same phone as this phonish one; None when there is none."""
        found = await self._asked("/v1/internal/uid-info", "uid_info", {"yandex_uid": yandex_uid}, _UID_INFO)
        return None if found is None else found["portal_uid"]

    async def _asked(self, path: str, operation: str, query: dict[str, str], answer: ma.Schema) -> Any:
        try:
            return await self._call(
                "GET",
                path,
                operation=operation,
                query=query,
                answer=answer,
                is_idempotent=True,
                refusals={"not_found": _NotFound},
            )
        except _NotFound:
            return None
