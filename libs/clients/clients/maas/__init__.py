"""`maas`, our own service, as coupons, products, processing, maas-authproxy and routestats' plugin use it."""

import datetime
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from clients.maas import answers
from clients.maas.model import LedgerEntry, NearestMetro, Rides, Shortcut, Station, Trip, Verdict
from clients.maas.routestats import Action, Restriction, restriction_of
from kit import clock, geo, http_client

__all__ = [
    "Action",
    "LedgerEntry",
    "Maas",
    "NearestMetro",
    "Restriction",
    "Rides",
    "Shortcut",
    "Station",
    "Trip",
    "Verdict",
    "restriction_of",
]


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
            answer=answers.VERDICT,
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
            answer=answers.NEAREST,
            is_idempotent=True,
            changes=False,
        )
        return found

    async def shortcut(
        self,
        *,
        yandex_uid: str,
        personal_phone_id: str | None = None,
        phone_id: str | None = None,
        flags: Iterable[str] = (),
        language: str | None = None,
    ) -> Shortcut | None:
        """The passenger's button among the products; None without a live subscription (MA-63, MA-79).

        `flags` are those of the passenger's account (`portal`, `phonish`). maas binds person and account on the way.
        """
        asked = {
            "yandex_uid": yandex_uid,
            "personal_phone_id": personal_phone_id,
            "phone_id": phone_id,
            "flags": sorted(flags),
            "language": language,
        }
        found: dict[str, Any] = await self._call(
            "POST",
            "/maas/v1/shortcut",
            operation="shortcut",
            body={name: value for name, value in asked.items() if value is not None},
            answer=answers.SHORTCUT,
            is_idempotent=True,
        )
        shortcut: Shortcut | None = found["shortcut"]
        return shortcut

    async def filter_promocodes(self, promocodes: Collection[str]) -> set[str]:
        """Those of at most 500 promo codes that belong to subscriptions, so that coupons hides them (MA-98)."""
        found: dict[str, Any] = await self._call(
            "POST",
            "/maas/v1/promocodes/filter",
            operation="filter_promocodes",
            body={"promocodes": list(promocodes)},
            answer=answers.OURS,
            is_idempotent=True,
            changes=False,
        )
        return set(found["ours"])

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
            "POST", path, operation=operation, body=body, answer=answers.ENTRY, is_idempotent=True
        )
        return found
