"""Points on the sphere: straight-line distances, and which known places are near.

The Earth is a sphere of 6371008.8 m; against the ellipsoid that is right to half a percent, far better than a
"300 m from a station" can mean.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

EARTH_RADIUS_M = 6_371_008.8

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Point:
    """A place, WGS 84, in degrees."""

    lat: float
    lon: float

    def to_wire(self) -> dict[str, float]:
        """`{"lat": 55.75, "lon": 37.61}`."""
        return {"lat": self.lat, "lon": self.lon}


def distance_m(a: Point, b: Point) -> float:
    """Metres along the great circle from `a` to `b` (haversine)."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    north = math.sin((lat_b - lat_a) / 2)
    east = math.sin(math.radians(b.lon - a.lon) / 2)
    square = north * north + math.cos(lat_a) * math.cos(lat_b) * east * east
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, square)))


def _unit(point: Point) -> tuple[float, float, float]:
    lat, lon = math.radians(point.lat), math.radians(point.lon)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


class Nearest(Generic[_Item]):
    """An unchanging index of places; `point_of` says where an item is (by default its attribute `point`)."""

    def __init__(self, items: Iterable[_Item], point_of: Callable[[_Item], Point] | None = None) -> None:
        where: Callable[[_Item], Point] = point_of or _own_point
        self._items = tuple(items)
        self._places = [(*_unit(where(item)), number) for number, item in enumerate(self._items)]

    def __len__(self) -> int:
        return len(self._items)

    def within(self, point: Point, radius_m: float, limit: int | None = None) -> list[tuple[float, _Item]]:
        """(metres, item) of those not farther than `radius_m`, nearest first, `limit` at most."""
        # The square of the chord grows with the arc, so comparing chords needs no trigonometry per item.
        half = min(radius_m / (2 * EARTH_RADIUS_M), math.pi / 2)
        farthest = (2 * math.sin(half)) ** 2 * (1 + 1e-12) + 1e-20 if half >= 0 else -1.0
        x, y, z = _unit(point)
        found = [
            (chord, number)
            for px, py, pz, number in self._places
            if (chord := (px - x) * (px - x) + (py - y) * (py - y) + (pz - z) * (pz - z)) <= farthest
        ]
        found.sort()
        return [(_arc_m(chord), self._items[number]) for chord, number in found[:limit]]


def _arc_m(chord: float) -> float:
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord) / 2))


def _own_point(item: object) -> Point:
    point = getattr(item, "point", None)
    if not isinstance(point, Point):
        raise TypeError("say where the items are: Nearest(items, point_of=…)")
    return point
