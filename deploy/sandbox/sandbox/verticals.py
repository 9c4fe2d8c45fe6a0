"""The verticals of the app: what may be ordered, at which prices, and when a vertical is seen at all."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from kit import geo

MAAS = "maas"
_CHEAPEST = Decimal(99)


@dataclass(frozen=True, slots=True)
class Vertical:
    """A tab of the app: its tariffs with what a kilometre costs, and how it may be paid.

    `is_for_pass`: its rides are paid by the subscription (MA-76), so it is seen in trap mode alone (MA-74, MA-75).
    """

    vertical_id: str
    title: str
    tariffs: Mapping[str, Decimal]
    payment_methods: tuple[str, ...]
    is_for_pass: bool = False


ALL = (
    Vertical("taxi", "Taxi", {"econom": Decimal(30), "comfort": Decimal(45)}, ("card", "cash")),
    Vertical(MAAS, "By subscription", {"econom": Decimal(30)}, ("card",), is_for_pass=True),
)
IDS = tuple(vertical.vertical_id for vertical in ALL)


def get(vertical_id: str) -> Vertical:
    """The vertical of this id, one of `IDS`."""
    return next(vertical for vertical in ALL if vertical.vertical_id == vertical_id)


def price(per_km: Decimal, points: list[Mapping[str, float]]) -> dict[str, str]:
    """What a ride along `points` costs: whole roubles for the straight lines between them."""
    places = [geo.Point(point["lat"], point["lon"]) for point in points]
    metres = sum(geo.distance_m(one, other) for one, other in itertools.pairwise(places))
    amount = max(_CHEAPEST, per_km * Decimal(round(metres)) / 1000)
    return {"amount": f"{amount:.0f}.00", "currency": "RUB"}
