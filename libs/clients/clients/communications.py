"""`communications` pushes to taximeters; a push may be lost, late or doubled, and says so to nobody (M-22)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit import http_client


@dataclass(frozen=True, slots=True)
class DriverPush:
    """A hint to a driver's taximeter: worth nothing after `ttl_s` seconds; the same token is the same push."""

    park_id: str
    driver_profile_id: str
    code: str
    payload: Mapping[str, Any]
    ttl_s: int
    idempotency_token: str


class Communications(http_client.Client):
    """The pushes."""

    name = "communications"

    async def push_to_driver(self, push: DriverPush) -> None:
        """Has the push sent; that it was taken says nothing about its arrival."""
        await self._call(
            "POST",
            "/v1/driver-push",
            operation="driver_push",
            body={
                "park_id": push.park_id,
                "driver_profile_id": push.driver_profile_id,
                "code": push.code,
                "ttl_s": push.ttl_s,
                "idempotency_token": push.idempotency_token,
                "payload": dict(push.payload),
            },
            answer=None,
            is_idempotent=True,
        )
