"""What maas and its callers tell each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit import geo, money


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


@dataclass(frozen=True, slots=True)
class Shortcut:
    """The button of a live subscription among the products of the app (MA-79)."""

    title: str
    subtitle: str
    deeplink: str
    rides_left: int
    pass_id: str
