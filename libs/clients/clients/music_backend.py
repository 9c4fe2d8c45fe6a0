"""`music-backend` gives a car temporary access to a person's music (M-08, M-11)."""

import datetime
from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma

from kit import fields, http_client


class TokenRevoked(http_client.NeighbourRefused):
    """This grant was revoked; it never gives a token again."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Whose music, in which ride and car, for how many seconds; `grant_id` is ours and makes the call repeatable."""

    grant_id: str
    yandex_uid: str
    order_id: str
    park_id: str
    driver_profile_id: str
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Token:
    """A temporary token; it is passed on to the taximeter, never stored or logged."""

    token: str = field(repr=False)
    expires_at: datetime.datetime


class _TokenSchema(http_client.Answer):
    token = fields.Text(longest=4096, required=True)
    expires_at = fields.Moment(required=True)

    @ma.post_load
    def _token(self, data: dict[str, Any], **_: Any) -> Token:
        return Token(**data)


_TOKEN = _TokenSchema()


class MusicBackend(http_client.Client):
    """The keeper of everybody's music."""

    name = "music-backend"

    async def issue_token(self, grant: Grant) -> Token:
        """The token of a grant, made when it is new: asking again gives the same one. TokenRevoked."""
        found: Token = await self._call(
            "POST",
            "/v1/temporary-tokens",
            operation="issue_token",
            body={
                "id": grant.grant_id,
                "yandex_uid": grant.yandex_uid,
                "order_id": grant.order_id,
                "park_id": grant.park_id,
                "driver_profile_id": grant.driver_profile_id,
                "ttl_s": grant.ttl_s,
            },
            answer=_TOKEN,
            is_idempotent=True,
            refusals={"token_revoked": TokenRevoked},
        )
        return found

    async def revoke_token(self, grant_id: str) -> None:
        """Ends the token of a grant, also of one that was never made and then never will be; again is the same."""
        await self._call(
            "DELETE",
            f"/v1/temporary-tokens/{http_client.quoted(grant_id)}",
            operation="revoke_token",
            answer=None,
            is_idempotent=True,
        )
