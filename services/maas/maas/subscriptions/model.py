"""A subscription, its states, its tariff, and what may be refused about them."""

import dataclasses
import datetime
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kit import errors, money

OWN_REASONS = ("reservation_expired", "revoked_by_support")
"""Reasons of a cancellation that mean something here, and that the partner therefore can't give."""


class Status(enum.StrEnum):
    """Where a subscription stands (MA-40)."""

    RESERVED = "reserved"
    ACTIVATED = "activated"
    EXPIRED = "expired"
    CANCELED = "canceled"


class PromocodeStatus(enum.StrEnum):
    """Where its promo code stands; it exists only for an activated subscription whose owner is known."""

    NONE = "none"
    PENDING = "pending"
    ISSUED = "issued"
    FAILED = "failed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Tariff:
    """The conditions of a sale as the partner offers them (MX-08)."""

    tariff_id: str
    price: money.Money
    taxi_rides: int
    duration_days: int


@dataclass(frozen=True, slots=True)
class Variant:
    """What goes with an agreed tariff: the series of its promo codes, and how many may be sold (None: any number)."""

    tariff: Tariff
    promocode_series_id: str
    budget: int | None


@dataclass(frozen=True, slots=True)
class Sale:
    """What the partner is about to sell, and to whom; `user_token` is brought by purchases in the app (MA-58)."""

    pass_id: str
    maas_user_id: str
    tariff: Tariff
    user_token: str | None = dataclasses.field(default=None, repr=False)


class Antifraud(Protocol):
    """Who judges buyers (MA-45 c); asked before the sale's transaction, so that it may be another service."""

    async def check(self, maas_user_id: str) -> None:
        """AntifraudRefused."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a sale is held against: the agreed `MAAS_TARIFFS`, and the judge of buyers."""

    variants: Sequence[Mapping[str, Any]]
    antifraud: Antifraud


@dataclass(frozen=True, slots=True)
class Rides:
    """Taxi rides of a subscription: bought, finished, under way, and left."""

    total: int
    used: int
    held: int

    @property
    def left(self) -> int:
        """Rides that may still be begun."""
        return self.total - self.used - self.held


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription; times in UTC, `status` as time has made it by now."""

    pass_id: str
    maas_user_id: str
    yandex_uid: str | None
    tariff: Tariff
    promocode_series_id: str
    status: Status
    cancel_reason: str | None
    reserved_until: datetime.datetime
    expiration_datetime: datetime.datetime
    activated_at: datetime.datetime | None
    updated_at: datetime.datetime
    promocode: str | None = dataclasses.field(repr=False)
    promocode_status: PromocodeStatus
    promocode_wanted_at: datetime.datetime | None
    paid_refused_at: datetime.datetime | None
    extensions: int
    rides: Rides

    @classmethod
    def from_row(cls, **row: Any) -> "Subscription":
        """From the columns that `queries` reads."""
        price = money.Money(row.pop("price"), row.pop("currency"))
        tariff = Tariff(row.pop("tariff_id"), price, row.pop("taxi_rides"), row.pop("duration_days"))
        held = row.pop("rides_held")
        rides = Rides(tariff.taxi_rides, row.pop("rides_taken") - held, held)
        return cls(
            tariff=tariff,
            rides=rides,
            status=Status(row.pop("status")),
            promocode_status=PromocodeStatus(row.pop("promocode_status")),
            **row,
        )

    @property
    def needs_promocode(self) -> bool:
        """True for an activated subscription of a known owner that has no code yet."""
        return self.status is Status.ACTIVATED and self.yandex_uid is not None and self.promocode is None

    def is_of(self, sale: Sale) -> bool:
        """True when this came of `sale`: the same pass, person and conditions."""
        return (self.pass_id, self.maas_user_id, self.tariff) == (sale.pass_id, sale.maas_user_id, sale.tariff)


class ActiveSubscriptionExists(errors.Conflict):
    """This person already has a live subscription."""


class PassIdConflict(errors.Conflict):
    """This pass_id was given to another sale."""


class TariffMismatch(errors.Conflict):
    """The conditions of this tariff are not the agreed ones."""


class BudgetExhausted(errors.Conflict):
    """All subscriptions of this tariff are sold."""


class AntifraudRefused(errors.Forbidden):
    """Nothing is sold to this person."""


class ExtensionLimitReached(errors.Conflict):
    """This reservation can't be kept any longer."""


class SubscriptionNotFound(errors.NotFound):
    """There is no such subscription."""


class SubscriptionCanceled(errors.Conflict):
    """This subscription was canceled."""


class SubscriptionExpired(errors.Conflict):
    """This subscription is over."""


class SubscriptionAlreadyActivated(errors.Conflict):
    """This subscription is paid and active."""


def variant_of(tariff: Tariff, variants: Sequence[Mapping[str, Any]]) -> Variant:
    """The agreed variant whose conditions equal `tariff`; TariffMismatch (MX-13, MA-45 d)."""
    for variant in variants:
        agreed = Tariff(variant["tariff_id"], variant["price"], variant["taxi_rides"], variant["duration_days"])
        if agreed == tariff:
            return Variant(agreed, variant["promocode_series_id"], variant["budget"])
    raise TariffMismatch(tariff_id=tariff.tariff_id)
