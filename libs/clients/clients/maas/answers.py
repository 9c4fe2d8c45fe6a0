"""The shapes of maas's answers; fields that they do not know are left out."""

from typing import Any

import marshmallow as ma

from clients.maas import model
from kit import fields, http_client


class _VerdictSchema(http_client.Answer):
    valid = ma.fields.Boolean(required=True)
    valid_any = ma.fields.Boolean(required=True)
    code = ma.fields.String(load_default=None, allow_none=True)
    message = ma.fields.String(load_default=None, allow_none=True)
    details = ma.fields.Dict(load_default=dict)

    @ma.post_load
    def _verdict(self, data: dict[str, Any], **_: Any) -> model.Verdict:
        return model.Verdict(**data)


class _RidesSchema(http_client.Answer):
    total = ma.fields.Integer(required=True, strict=True)
    used = ma.fields.Integer(required=True, strict=True)
    held = ma.fields.Integer(load_default=0, strict=True)
    left = ma.fields.Integer(required=True, strict=True)

    @ma.post_load
    def _rides(self, data: dict[str, int], **_: Any) -> model.Rides:
        return model.Rides(**data)


class _LedgerEntrySchema(http_client.Answer):
    order_id = fields.Id(required=True)
    pass_id = fields.Id(load_default="")
    state = ma.fields.String(required=True, validate=ma.validate.OneOf(["held", "used", "released"]))
    code = ma.fields.String(load_default=None, allow_none=True)
    rides = ma.fields.Nested(_RidesSchema, required=True)

    @ma.post_load
    def _entry(self, data: dict[str, Any], **_: Any) -> model.LedgerEntry:
        return model.LedgerEntry(**data)


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
    def _station(self, data: dict[str, Any], **_: Any) -> model.Station:
        line = data.pop("line")
        return model.Station(line_name=line["name"], line_color=line["color"], **data)


class _NearestSchema(http_client.Answer):
    stations = ma.fields.List(ma.fields.Nested(_StationSchema), required=True)
    selected = ma.fields.Nested(_StationSchema, required=True, allow_none=True)

    @ma.post_load
    def _nearest(self, data: dict[str, Any], **_: Any) -> model.NearestMetro:
        return model.NearestMetro(tuple(data["stations"]), data["selected"])


class _ShortcutSchema(http_client.Answer):
    title = fields.Text(required=True)
    subtitle = fields.Text(required=True)
    deeplink = fields.Text(longest=1024, required=True)
    rides_left = fields.Whole(least=0, most=100_000, required=True)
    pass_id = fields.Id(required=True)

    @ma.post_load
    def _shortcut(self, data: dict[str, Any], **_: Any) -> model.Shortcut:
        return model.Shortcut(**data)


class _ShortcutsSchema(http_client.Answer):
    shortcut = ma.fields.Nested(_ShortcutSchema, required=True, allow_none=True)


class _OursSchema(http_client.Answer):
    ours = ma.fields.List(fields.Text(longest=64), required=True)


VERDICT = _VerdictSchema()
ENTRY = _LedgerEntrySchema()
NEAREST = _NearestSchema()
SHORTCUT = _ShortcutsSchema()
OURS = _OursSchema()
