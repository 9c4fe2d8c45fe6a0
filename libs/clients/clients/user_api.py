"""`user-api` knows which phones use taxi (MA-36)."""

from typing import Any

from kit import fields, http_client


class _NotFound(http_client.NeighbourRefused):
    """Nobody with this phone uses taxi."""


class _PhoneSchema(http_client.Answer):
    id = fields.Id(required=True)


_PHONE = _PhoneSchema()


class UserApi(http_client.Client):
    """The users of taxi."""

    name = "user-api"

    async def find_phone_id(self, personal_phone_id: str) -> str | None:
        """The `phone_id` of a phone; None when nobody with it uses taxi."""
        try:
            found: dict[str, Any] = await self._call(
                "POST",
                "/user_phones/by_personal/retrieve",
                operation="phone_by_personal",
                body={"personal_phone_id": personal_phone_id, "type": "yandex"},
                answer=_PHONE,
                is_idempotent=True,
                changes=False,
                refusals={"not_found": _NotFound},
            )
        except _NotFound:
            return None
        return str(found["id"])
