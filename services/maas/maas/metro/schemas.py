"""JSON shapes of stations and of rides on the metro."""

from typing import Any

import marshmallow
from marshmallow import fields as ma
from marshmallow import validate

from kit import fields, geo
from maas.binding import schemas as binding
from maas.metro import model


class WhereSchema(fields.Strict):
    """From where, to where, how many stations, how far in metres."""

    point_a = fields.point(required=True)
    point_b = fields.point(load_default=None)
    limit = fields.Whole(least=1, most=100, load_default=None)
    radius_m = fields.Whole(least=1, most=100_000, load_default=None)


class PassengerWhereSchema(WhereSchema):
    """The same, for the app: with `pass_id` the answer has that subscription too, with null the last one (MA-100)."""

    pass_id = fields.Id(allow_none=True)


class WhereInQuerySchema(fields.Strict):
    """The same in the words of the deep link (MX-25)."""

    lat_a = fields.Degrees(most=90, required=True)
    lon_a = fields.Degrees(most=180, required=True)
    lat_b = fields.Degrees(most=90)
    lon_b = fields.Degrees(most=180)
    limit = fields.Whole(least=1, most=100, load_default=None)
    radius_m = fields.Whole(least=1, most=100_000, load_default=None)

    @marshmallow.validates_schema
    def _whole_point(self, data: dict[str, Any], **_: Any) -> None:
        if ("lat_b" in data) != ("lon_b" in data):
            raise marshmallow.ValidationError("lat_b and lon_b go together.")

    @marshmallow.post_load
    def _points(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        point_b = geo.Point(data["lat_b"], data["lon_b"]) if "lat_b" in data else None
        return {
            "point_a": geo.Point(data["lat_a"], data["lon_a"]),
            "point_b": point_b,
            "limit": data["limit"],
            "radius_m": data["radius_m"],
        }


class LineSchema(fields.Strict):
    """A line with its colour, `#RRGGBB`."""

    name = ma.String(required=True)
    color = ma.String(required=True)


class NearStationSchema(fields.Strict):
    """A station and its distance."""

    station_id = ma.String(required=True, attribute="station.station_id")
    name = ma.String(required=True, attribute="station.name")
    line = ma.Nested(LineSchema, required=True, attribute="station.line")
    point = fields.point(required=True, attribute="station.point")
    distance_m = ma.Integer(required=True)


class NearestSchema(fields.Strict):
    """Stations, nearest first, and the one to suggest."""

    stations = ma.List(ma.Nested(NearStationSchema), required=True)
    selected = ma.Nested(NearStationSchema, required=True, allow_none=True)


class PassengerNearestSchema(NearestSchema):
    """The same, for the app: with the subscription when it was asked for, null when there is none."""

    subscription = ma.Nested(binding.PassengerSubscriptionSchema, allow_none=True)


class MetroRideSchema(fields.Strict):
    """A ride on the metro."""

    ride_id = fields.Id(required=True)
    maas_user_id = fields.Id(required=True)
    pass_id = fields.Id(required=True)
    station = fields.Text(longest=128, required=True)
    at = fields.Moment(required=True)

    @marshmallow.post_load
    def _ride(self, data: dict[str, Any], **_: Any) -> model.MetroRide:
        return model.MetroRide(**data)


class MetroRidesSchema(fields.Strict):
    """Rides on the metro, at most 1000 and no more than a body may hold."""

    rides = ma.List(ma.Nested(MetroRideSchema), required=True, validate=validate.Length(max=1000))


class ReportedSchema(fields.Strict):
    """How many of the told rides were new, and how many known."""

    new = ma.Integer(required=True)
    known = ma.Integer(required=True)


def answer(nearest: model.Nearest) -> dict[str, Any]:
    """`NEAREST.dump(nearest)` by hand: these answers are hot, and a test holds the two equal."""
    return {
        "stations": [_near(near) for near in nearest.stations],
        "selected": None if nearest.selected is None else _near(nearest.selected),
    }


def _near(near: model.NearStation) -> dict[str, Any]:
    station = near.station
    return {
        "station_id": station.station_id,
        "name": station.name,
        "line": {"name": station.line.name, "color": station.line.color},
        "point": {"lat": station.point.lat, "lon": station.point.lon},
        "distance_m": near.distance_m,
    }


WHERE = WhereSchema()
WHERE_IN_QUERY = WhereInQuerySchema()
PASSENGER_WHERE = PassengerWhereSchema()
NEAREST = NearestSchema()
PASSENGER_NEAREST = PassengerNearestSchema()
RIDES = MetroRidesSchema()
REPORTED = ReportedSchema()
