"""Stations and the choice among them."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kit import errors, geo


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the metro as the scheme draws it."""

    name: str
    color: str


@dataclass(frozen=True, slots=True)
class Station:
    """A station of one line; `point` is its centre."""

    station_id: str
    name: str
    line: Line
    point: geo.Point


@dataclass(frozen=True, slots=True)
class NearStation:
    """A station and how far it is, in metres."""

    station: Station
    distance_m: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """The stations to choose from, nearest first, and the one to suggest (None when there is none)."""

    stations: Sequence[NearStation]
    selected: NearStation | None


@dataclass(frozen=True, slots=True)
class MetroRide:
    """A ride on the metro as the bank reports it; `station` is where it began, in the bank's words."""

    ride_id: str
    maas_user_id: str
    pass_id: str
    station: str
    at: datetime.datetime


@dataclass(frozen=True, slots=True)
class Reported:
    """How many of the told rides were new and known; `differing` of the known were told otherwise before."""

    new: int
    known: int
    differing: int


class CatalogueImplausible(errors.BadNeighbour):
    """The station catalogue that came is not one to replace the present one with."""


class Stations:
    """An immutable index of all stations."""

    def __init__(self, stations: Iterable[Station]) -> None:
        self._index = geo.Nearest(stations)

    @classmethod
    def from_rows(cls, rows: Iterable[dict[str, Any]]) -> "Stations":
        """From the stored catalogue, `[{"station_id", "name", "line": {"name", "color"}, "point": {"lat", "lon"}}]`."""
        return cls(
            Station(row["station_id"], row["name"], Line(**row["line"]), geo.Point(**row["point"])) for row in rows
        )

    def within(self, point: geo.Point, radius_m: float, limit: int | None = None) -> list[NearStation]:
        """Stations at most `radius_m` away, nearest first."""
        return [
            NearStation(station, round(distance_m))
            for distance_m, station in self._index.within(point, radius_m, limit)
        ]

    def nearest(self, point_a: geo.Point, point_b: geo.Point | None, *, radius_m: float, limit: int) -> Nearest:
        """Where a ride from A may end: near A, and the one nearest to B if there is a B (MA-84, MA-100)."""
        reachable = self.within(point_a, radius_m)
        if not reachable:
            return Nearest((), None)
        if point_b is None:
            return Nearest(reachable[:limit], reachable[0])
        selected = min(reachable, key=lambda near: geo.distance_m(point_b, near.station.point))
        return Nearest(reachable[:limit], selected)
