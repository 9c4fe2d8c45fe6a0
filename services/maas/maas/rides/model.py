"""The rules of a ride (MA-90), in the order they are checked; each broken rule is a refusal that names itself."""

import datetime
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit import errors, geo, money
from maas.metro import model as metro
from maas.subscriptions.model import Rides, Status, Subscription


class Stage(enum.StrEnum):
    """When a ride is checked: before it is offered, and when it ended."""

    OFFER = "offer"
    COMPLETION = "completion"


class RideState(enum.StrEnum):
    """Where a ride stands in the ledger."""

    HELD = "held"
    USED = "used"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Route:
    """The points of an order."""

    a: geo.Point
    b: geo.Point
    intermediate: Sequence[geo.Point] = ()


@dataclass(frozen=True, slots=True)
class Trip:
    """What is known of a ride: `planned_b` is where it was to end, `paid_waiting` is a part of `price`."""

    route: Route
    price: money.Money
    payment_method: str
    planned_b: geo.Point | None = None
    paid_waiting: money.Money | None = None

    @property
    def fare(self) -> money.Money:
        """The price without the paid waiting, which is the passenger's own (MA-90)."""
        waiting = self.paid_waiting.amount if self.paid_waiting else 0
        return money.Money(self.price.amount - waiting, self.price.currency)


@dataclass(frozen=True, slots=True)
class Asked:
    """A code that is to pay for a trip, and whose order it is for."""

    promocode: str
    yandex_uid: str
    trip: Trip
    order_id: str | None = None
    stage: Stage = Stage.OFFER


@dataclass(frozen=True, slots=True)
class Ended:
    """An order that has ended; `finished_at` None means just now."""

    order_id: str
    trip: Trip
    finished_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Ride:
    """A row of the ledger."""

    order_id: str
    pass_id: str
    state: RideState
    reason: str | None
    held_at: datetime.datetime
    finished_at: datetime.datetime | None

    @classmethod
    def from_row(cls, **row: Any) -> "Ride":
        """From the columns that `queries` reads."""
        return cls(state=RideState(row.pop("state")), **row)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A ride and what its subscription has left."""

    ride: Ride
    rides: Rides


@dataclass(frozen=True, slots=True)
class Report:
    """What the bank is told of a used ride, the same however often it is told."""

    order_id: str
    pass_id: str
    maas_user_id: str
    cost: money.Money
    finished_at: datetime.datetime
    rides_left: int

    @classmethod
    def from_row(cls, **row: Any) -> "Report":
        """From the columns that `queries` reads."""
        return cls(cost=money.Money(row.pop("amount"), row.pop("currency")), **row)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a promo code pays for a trip; `refusal` is the first rule that it breaks."""

    refusal: "RuleBroken | None"

    @property
    def is_valid(self) -> bool:
        """True when no rule is broken."""
        return self.refusal is None

    @property
    def is_valid_for_other_points(self) -> bool:
        """True when another choice of points could help (MA-95)."""
        return self.refusal is None or self.refusal.is_about_points


class RuleBroken(errors.Conflict):
    """This ride can't be paid by the subscription."""

    is_about_points = False


class SubscriptionNotActive(RuleBroken):
    """There is no active subscription with this promo code."""


class NoRidesLeft(RuleBroken):
    """All taxi rides of this subscription are spent."""


class PaymentMethodNotAllowed(RuleBroken):
    """A ride by subscription is paid by card only."""


class IntermediatePointsNotAllowed(RuleBroken):
    """A ride by subscription has no stops on the way."""

    is_about_points = True


class DistanceTooLong(RuleBroken):
    """This ride is longer than a subscription allows."""

    is_about_points = True


class NotNearMetro(RuleBroken):
    """A ride by subscription begins or ends at a metro station."""

    is_about_points = True


class DestinationChanged(RuleBroken):
    """The ride did not end where it was to end."""

    is_about_points = True


class PriceLimitExceeded(RuleBroken):
    """This ride costs more than a subscription pays."""

    is_about_points = True


class RideNotFound(errors.NotFound):
    """There is no such ride in the ledger."""


class RideReleased(errors.Conflict):
    """This ride was given back and can't be held again."""


class OrderConflict(errors.Conflict):
    """This order is held by another subscription."""


RULES = (
    SubscriptionNotActive,
    NoRidesLeft,
    PaymentMethodNotAllowed,
    IntermediatePointsNotAllowed,
    DistanceTooLong,
    NotNearMetro,
    DestinationChanged,
    PriceLimitExceeded,
)


def check_subscription(subscription: Subscription | None, *, holds_already: bool) -> Subscription:
    """SubscriptionNotActive, NoRidesLeft; a ride that this order already holds is counted as left."""
    if subscription is None or subscription.status is not Status.ACTIVATED:
        raise SubscriptionNotActive
    if subscription.rides.left + holds_already <= 0:
        raise NoRidesLeft(rides_left=0)
    return subscription


@dataclass(frozen=True, slots=True)
class Rules:
    """What trips are judged by: the stations, and the config MAAS_GEO."""

    stations: metro.Stations
    limits: Mapping[str, Any]

    def check(self, trip: Trip) -> None:
        """The rules that need no subscription, in their order."""
        if trip.payment_method not in self.limits["payment_methods"]:
            raise PaymentMethodNotAllowed(allowed=self.limits["payment_methods"])
        if trip.route.intermediate:
            raise IntermediatePointsNotAllowed
        distance_m = geo.distance_m(trip.route.a, trip.route.b)
        if distance_m > self.limits["max_distance_m"]:
            raise DistanceTooLong(distance_m=round(distance_m), limit_m=self.limits["max_distance_m"])
        if not (self._is_at_metro(trip.route.a) or self._is_at_metro(trip.route.b)):
            raise NotNearMetro(radius_m=self.limits["station_radius_m"])
        self._check_end(trip)
        limit = self.limits["price_limit"]
        if trip.fare.currency != limit.currency or trip.fare.amount > limit.amount:
            raise PriceLimitExceeded(limit=limit.to_wire())

    def _check_end(self, trip: Trip) -> None:
        moved_m = 0.0 if trip.planned_b is None else geo.distance_m(trip.planned_b, trip.route.b)
        if moved_m > self.limits["destination_tolerance_m"]:
            raise DestinationChanged(moved_m=round(moved_m), limit_m=self.limits["destination_tolerance_m"])

    def _is_at_metro(self, point: geo.Point) -> bool:
        usual_m, own_m = self.limits["station_radius_m"], self.limits["station_radius_by_id_m"]
        return any(
            near.distance_m <= own_m.get(near.station.station_id, usual_m)
            for near in self.stations.within(point, max([usual_m, *own_m.values()]))
        )
