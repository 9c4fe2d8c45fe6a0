"""`maas`, our own service, as coupons, processing and maas-authproxy call it."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import marshmallow as ma

from kit import clock, fields, geo, http_client, money


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A ride as it is checked: from `a` to `b`, its price, and what was planned when that differed."""

    a: geo.Point
    b: geo.Point
    price: money.Money
    payment_method: str
    intermediate: tuple[geo.Point, ...] = ()
    planned_b: geo.Point | None = None
    paid_waiting: money.Money | None = None

    def to_wire(self) -> dict[str, Any]:
        """The fields of a request."""
        intermediate = [point.to_wire() for point in self.intermediate]
        told: dict[str, Any] = {
            "route": {"a": self.a.to_wire(), "b": self.b.to_wire(), "intermediate": intermediate},
            "price": self.price.to_wire(),
            "payment_method": self.payment_method,
        }
        if self.planned_b is not None:
            told["planned_b"] = self.planned_b.to_wire()
        if self.paid_waiting is not None:
            told["paid_waiting"] = self.paid_waiting.to_wire()
        return told


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a promo code pays for a trip; if not, `code` says why and `valid_any` that other points would help."""

    valid: bool
    valid_any: bool
    code: str | None
    message: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rides:
    """The rides of a subscription."""

    total: int
    used: int
    held: int
    left: int


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A ride: `held`, `used`, or `released` for the reason `code`."""

    order_id: str
    pass_id: str
    state: str
    code: str | None
    rides: Rides


@dataclass(frozen=True, slots=True)
class Station:
    """A station and how far it is, in metres."""

    station_id: str
    name: str
    line_name: str
    line_color: str
    point: geo.Point
    distance_m: float


@dataclass(frozen=True, slots=True)
class NearestMetro:
    """Stations, nearest first, and the one to suggest."""

    stations: tuple[Station, ...]
    selected: Station | None


class _VerdictSchema(http_client.Answer):
    valid = ma.fields.Boolean(required=True)
    valid_any = ma.fields.Boolean(required=True)
    code = ma.fields.String(load_default=None, allow_none=True)
    message = ma.fields.String(load_default=None, allow_none=True)
    details = ma.fields.Dict(load_default=dict)

    @ma.post_load
    def _verdict(self, data: dict[str, Any], **_: Any) -> Verdict:
        return Verdict(**data)


class _RidesSchema(http_client.Answer):
    total = ma.fields.Integer(required=True, strict=True)
    used = ma.fields.Integer(required=True, strict=True)
    held = ma.fields.Integer(load_default=0, strict=True)
    left = ma.fields.Integer(required=True, strict=True)

    @ma.post_load
    def _rides(self, data: dict[str, int], **_: Any) -> Rides:
        return Rides(**data)


class _LedgerEntrySchema(http_client.Answer):
    order_id = fields.Id(required=True)
    pass_id = fields.Id(load_default="")
    state = ma.fields.String(required=True, validate=ma.validate.OneOf(["held", "used", "released"]))
    code = ma.fields.String(load_default=None, allow_none=True)
    rides = ma.fields.Nested(_RidesSchema, required=True)

    @ma.post_load
    def _entry(self, data: dict[str, Any], **_: Any) -> LedgerEntry:
        return LedgerEntry(**data)


class _LineSchema(http_client.Answer):
    name = ma.fields.String(required=True)
    color = ma.fields.String(required=True)


class _StationSchema(http_client.Answer):
    station_id = fields.Id(required=True)
    name = ma.fields.String(required=True)
    line = ma.fields.Nested(_LineSchema, required=True)
    point = fields.point(required=True, unknown=ma.EXCLUDE)
    distance_m = ma.fields.Float(required=True, allow_nan=False)

    @ma.post_load
    def _station(self, data: dict[str, Any], **_: Any) -> Station:
        line = data.pop("line")
        return Station(line_name=line["name"], line_color=line["color"], **data)


class _NearestSchema(http_client.Answer):
    stations = ma.fields.List(ma.fields.Nested(_StationSchema), required=True)
    selected = ma.fields.Nested(_StationSchema, required=True, allow_none=True)

    @ma.post_load
    def _nearest(self, data: dict[str, Any], **_: Any) -> NearestMetro:
        return NearestMetro(tuple(data["stations"]), data["selected"])


_VERDICT = _VerdictSchema()
_ENTRY = _LedgerEntrySchema()
_NEAREST = _NearestSchema()


class Maas(http_client.Client):
    """The passes. What maas refuses is NeighbourRefused with maas's code as its `reason`."""

    name = "maas"

    async def check_promocode(
        self,
        *,
        promocode: str,
        yandex_uid: str,
        stage: Literal["offer", "completion"],
        trip: Trip,
        order_id: str | None = None,
    ) -> Verdict:
        """Whether the code pays for the trip (MA-91)."""
        body = {"promocode": promocode, "yandex_uid": yandex_uid, "stage": stage, **trip.to_wire()}
        if order_id is not None:
            body["order_id"] = order_id
        found: Verdict = await self._call(
            "POST",
            "/maas/v1/check-promocode",
            operation="check_promocode",
            body=body,
            answer=_VERDICT,
            is_idempotent=True,
            changes=False,
        )
        return found

    async def hold_ride(self, *, order_id: str, promocode: str, yandex_uid: str, trip: Trip) -> LedgerEntry:
        """Takes a ride for an order; the same order again takes nothing more."""
        body = {"order_id": order_id, "promocode": promocode, "yandex_uid": yandex_uid, **trip.to_wire()}
        return await self._ledger("/maas/v1/rides/hold", "hold_ride", body)

    async def complete_ride(
        self, *, order_id: str, trip: Trip, finished_at: datetime.datetime | None = None
    ) -> LedgerEntry:
        """Ends the ride of an order (MA-104): `used`, or `released` when the trip broke a rule."""
        body = {"order_id": order_id, **trip.to_wire()}
        if finished_at is not None:
            body["finished_at"] = clock.to_wire(finished_at)
        return await self._ledger("/maas/v1/rides/complete", "complete_ride", body)

    async def release_ride(self, *, order_id: str) -> LedgerEntry:
        """Gives the ride of an order back."""
        return await self._ledger("/maas/v1/rides/release", "release_ride", {"order_id": order_id})

    async def nearest_metro(
        self,
        *,
        point_a: geo.Point,
        point_b: geo.Point | None = None,
        limit: int | None = None,
        radius_m: int | None = None,
    ) -> NearestMetro:
        """Where a ride from A may end, nearest first (MA-101)."""
        asked = {
            "point_a": point_a.to_wire(),
            "point_b": None if point_b is None else point_b.to_wire(),
            "limit": limit,
            "radius_m": radius_m,
        }
        found: NearestMetro = await self._call(
            "POST",
            "/maas/v1/nearest-metro",
            operation="nearest_metro",
            body={name: value for name, value in asked.items() if value is not None},
            answer=_NEAREST,
            is_idempotent=True,
            changes=False,
        )
        return found

    async def forward(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        is_read: bool,
        body: bytes | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> http_client.Raw:
        """A partner's request passed on (MA-17): whatever maas answers, as it answers it; reads are repeated once.

        `operation` and `path` come from the route table, never from the request.
        """
        return await self._pass(
            method,
            path,
            operation=operation,
            is_idempotent=is_read,
            changes=not is_read,
            body=body,
            query=query,
            headers=headers,
        )

    async def _ledger(self, path: str, operation: str, body: dict[str, Any]) -> LedgerEntry:
        found: LedgerEntry = await self._call(
            "POST", path, operation=operation, body=body, answer=_ENTRY, is_idempotent=True
        )
        return found
