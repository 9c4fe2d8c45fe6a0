"""VTB sells the pass: it names people (MA-30), holds the tariffs and is told of taxi rides (MA-11)."""

import datetime
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from kit import clock, fields, http_client, money


class UserUnknown(http_client.NeighbourRefused):
    """VTB does not know this person."""


class PhoneRefused(http_client.NeighbourRefused):
    """VTB does not take this phone."""


class RideConflict(http_client.NeighbourRefused):
    """VTB was told of this ride before, and differently."""


class _NotFound(http_client.NeighbourRefused):
    """VTB does not know this subscription."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """What VTB sells."""

    tariff_id: str
    price: money.Money
    taxi_rides: int
    duration_days: int


class _UserSchema(http_client.Answer):
    maas_user_id = fields.Id(required=True)


class _TariffSchema(http_client.Answer):
    tariff_id = fields.Id(required=True)
    price = fields.amount_of_money(required=True, unknown=ma.EXCLUDE)
    taxi_rides = fields.Whole(least=0, most=100_000, required=True)
    duration_days = fields.Whole(least=1, most=10_000, required=True)

    @ma.post_load
    def _tariff(self, data: dict[str, Any], **_: Any) -> Tariff:
        return Tariff(**data)


class _TariffsSchema(http_client.Answer):
    tariffs = ma.fields.List(ma.fields.Nested(_TariffSchema), required=True)


class _SubscriptionSchema(http_client.Answer):
    status = fields.Text(longest=32, required=True)


_USER = _UserSchema()
_TARIFFS = _TariffsSchema()
_SUBSCRIPTION = _SubscriptionSchema()


class Vtb(http_client.Client):
    """The bank."""

    name = "vtb"

    async def create_user(self, phone: str) -> str:
        """The `maas_user_id` that VTB gives to a phone (E.164); asking again gives the same. PhoneRefused."""
        found: dict[str, Any] = await self._call(
            "POST",
            "/users",
            operation="create_user",
            body={"phone": phone},
            answer=_USER,
            is_idempotent=True,
            refusals={"invalid_phone": PhoneRefused},
        )
        return str(found["maas_user_id"])

    async def tariffs(self, maas_user_id: str | None = None) -> list[Tariff]:
        """What is on sale, to this person when one is named. UserUnknown."""
        found: dict[str, Any] = await self._call(
            "GET",
            "/tariffs",
            operation="tariffs",
            query={"maas_user_id": maas_user_id},
            answer=_TARIFFS,
            is_idempotent=True,
            refusals={"not_found": UserUnknown},
        )
        return list(found["tariffs"])

    async def find_subscription_status(self, pass_id: str) -> str | None:
        """The status that VTB has for a subscription; None when it has no such subscription."""
        try:
            found: dict[str, Any] = await self._call(
                "GET",
                f"/subscriptions/{http_client.quoted(pass_id)}",
                operation="subscription",
                answer=_SUBSCRIPTION,
                is_idempotent=True,
                refusals={"not_found": _NotFound},
            )
        except _NotFound:
            return None
        return str(found["status"])

    async def report_taxi_ride(
        self,
        *,
        ride_id: str,
        pass_id: str,
        maas_user_id: str,
        cost: money.Money,
        finished_at: datetime.datetime,
        taxi_rides_left: int,
    ) -> None:
        """Tells of a finished ride; `ride_id` is the order's, by which VTB counts it once. RideConflict."""
        await self._call(
            "POST",
            "/rides/taxi",
            operation="report_taxi_ride",
            body={
                "ride_id": ride_id,
                "pass_id": pass_id,
                "maas_user_id": maas_user_id,
                "cost": cost.to_wire(),
                "finished_at": clock.to_wire(finished_at),
                "taxi_rides_left": taxi_rides_left,
            },
            answer=None,
            is_idempotent=True,
            refusals={"ride_conflict": RideConflict},
        )
