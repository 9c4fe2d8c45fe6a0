"""`coupons` makes promo codes: one for each token, for ever (MA-48)."""

import datetime
from typing import Any

from kit import clock, fields, http_client


class TokenConflict(http_client.NeighbourRefused):
    """This token has a promo code of another person."""


class _PromocodeSchema(http_client.Answer):
    promocode = fields.Id(required=True)


_PROMOCODE = _PromocodeSchema()


class Coupons(http_client.Client):
    """The promo codes."""

    name = "coupons"

    async def generate(
        self, *, token: str, series_id: str, yandex_uid: str, rides: int, expires_at: datetime.datetime
    ) -> str:
        """The promo code of `token`, made when it is new: asking again gives the same one. TokenConflict."""
        found: dict[str, Any] = await self._call(
            "POST",
            "/internal/generate",
            operation="generate",
            headers={"X-Idempotency-Token": token},
            body={
                "token": token,
                "series_id": series_id,
                "yandex_uids": [yandex_uid],
                "rides": rides,
                "expires_at": clock.to_wire(expires_at),
                "service": "maas",
            },
            answer=_PROMOCODE,
            is_idempotent=True,
            refusals={"token_conflict": TokenConflict},
        )
        return str(found["promocode"])

    async def deactivate(self, *, promocode: str, token: str) -> None:
        """Ends a promo code; once more is the same."""
        await self._call(
            "POST",
            "/internal/deactivate",
            operation="deactivate",
            body={"promocode": promocode, "token": token},
            answer=None,
            is_idempotent=True,
        )
