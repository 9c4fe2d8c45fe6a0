"""`plus` knows who has a subscription (M-25)."""

from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from kit import http_client


@dataclass(frozen=True, slots=True)
class Status:
    """What a person has: a subscription of their own, and one that may be shared with a family."""

    has_plus: bool
    has_plus_multi: bool


class _StatusSchema(http_client.Answer):
    has_plus = ma.fields.Boolean(required=True)
    has_plus_multi = ma.fields.Boolean(load_default=False)

    @ma.post_load
    def _status(self, data: dict[str, bool], **_: Any) -> Status:
        return Status(**data)


_STATUS = _StatusSchema()


class Plus(http_client.Client):
    """The subscriptions."""

    name = "plus"

    async def status(self, yandex_uid: str) -> Status:
        """Whether this person has Plus now."""
        found: Status = await self._call(
            "GET",
            "/internal/v1/subscriptions/status",
            operation="status",
            query={"yandex_uid": yandex_uid},
            answer=_STATUS,
            is_idempotent=True,
        )
        return found
