"""`masstransit` serves the stations of the metro, with a version; it is never asked while a request waits (MA-90)."""

from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from kit import fields, geo, http_client


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the metro; `color` as `#RRGGBB`."""

    name: str
    color: str


@dataclass(frozen=True, slots=True)
class Stop:
    """A station; of several lines the first is the one to show."""

    stop_id: str
    name: str
    lines: tuple[Line, ...]
    point: geo.Point

    @property
    def line_name(self) -> str:
        """The name of the first line, empty when there is none."""
        return self.lines[0].name if self.lines else ""

    @property
    def line_color(self) -> str:
        """The colour of the first line, grey when there is none."""
        return self.lines[0].color if self.lines else "#808080"


@dataclass(frozen=True, slots=True)
class Stops:
    """One version of the catalogue."""

    version: str
    stops: tuple[Stop, ...]


class _LineSchema(http_client.Answer):
    name = fields.Text(required=True)
    color = ma.fields.String(required=True, validate=ma.validate.Regexp(r"#[0-9A-Fa-f]{6}\Z"))

    @ma.post_load
    def _line(self, data: dict[str, Any], **_: Any) -> Line:
        return Line(**data)


class _StopSchema(http_client.Answer):
    stop_id = fields.Id(required=True, data_key="id")
    name = fields.Text(required=True)
    lines = ma.fields.List(ma.fields.Nested(_LineSchema), load_default=list)
    point = fields.point(required=True, unknown=ma.EXCLUDE)

    @ma.post_load
    def _stop(self, data: dict[str, Any], **_: Any) -> Stop:
        return Stop(data["stop_id"], data["name"], tuple(data["lines"]), data["point"])


class _StopsSchema(http_client.Answer):
    # The version goes back in a header, so it may hold nothing that a header may not.
    version = ma.fields.String(required=True, validate=ma.validate.Regexp(r"[!#-~]{1,128}\Z"))
    stops = ma.fields.List(ma.fields.Nested(_StopSchema), required=True)

    @ma.post_load
    def _stops(self, data: dict[str, Any], **_: Any) -> Stops:
        return Stops(data["version"], tuple(data["stops"]))


_STOPS = _StopsSchema()


class Masstransit(http_client.Client):
    """The catalogue of stations."""

    name = "masstransit"

    async def metro_stops(self, *, known_version: str | None = None) -> Stops | None:
        """All stations of the metro; None when `known_version` is still the newest."""
        found: Stops | None = await self._call(
            "GET",
            "/v2/stops",
            operation="metro_stops",
            query={"type": "metro"},
            headers={} if known_version is None else {"If-None-Match": f'"{known_version}"'},
            answer=_STOPS,
            is_idempotent=True,
        )
        return found
