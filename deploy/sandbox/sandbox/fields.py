"""The marshmallow fields of the neighbours' contracts: exactly the wire's type, nothing guessed or converted.

They are the sandbox's own, so that a mistake in the services' fields is not made here as well.
"""

import datetime
import math
import re
from decimal import Decimal
from typing import Any

import marshmallow as ma

_AMOUNT = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]{1,2})?")


class Strict(ma.Schema):
    """The parent of every contract: an unknown field breaks it."""

    class Meta:
        unknown = ma.RAISE


class Text(ma.fields.String):
    """A string of 1..256 characters that fully matches `pattern`."""

    def __init__(self, pattern: str = r"[^\x00-\x1f]{1,256}", **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Regexp(rf"(?:{pattern})\Z"), **kwargs)


class Whole(ma.fields.Integer):
    """A JSON integer of at least `least`; `true`, `1.0` and `"1"` are not."""

    def __init__(self, *, least: int = 0, **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Range(min=least), **kwargs)

    def _validated(self, value: Any) -> int:
        if type(value) is not int:
            raise ma.ValidationError("Not a whole number.")
        return value


class Number(ma.fields.Field[float]):
    """A finite JSON number within `least` and `most`."""

    def __init__(self, *, least: float, most: float, **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Range(min=least, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ma.ValidationError("Not a number.")
        return float(value)


class Flag(ma.fields.Field[bool]):
    """A JSON `true` or `false`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise ma.ValidationError("Not true or false.")
        return value


class Amount(ma.fields.Field[str]):
    """A decimal string with at most two places, kept as `"169.00"`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
            raise ma.ValidationError("Not an amount: a string like 169.00.")
        return f"{Decimal(value):.2f}"


class Moment(ma.fields.Field[str]):
    """RFC 3339 with offset, kept as text in UTC."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        try:
            found = datetime.datetime.fromisoformat(value)
            if len(value) < 20 or found.tzinfo is None:
                raise ValueError
            return found.astimezone(datetime.UTC).isoformat()
        except (TypeError, ValueError, OverflowError):
            raise ma.ValidationError("Not a time: RFC 3339 with offset.") from None


class PointSchema(Strict):
    """`{"lat": 55.75, "lon": 37.61}` in degrees of WGS 84."""

    lat = Number(least=-90, most=90, required=True)
    lon = Number(least=-180, most=180, required=True)


class MoneySchema(Strict):
    """`{"amount": "169.00", "currency": "RUB"}`."""

    amount = Amount(required=True)
    currency = Text(r"[A-Z]{3}", required=True)


class RouteSchema(Strict):
    """Where a ride goes: `a`, `b` and the stops between them."""

    a = ma.fields.Nested(PointSchema, required=True)
    b = ma.fields.Nested(PointSchema, required=True)
    intermediate = ma.fields.List(ma.fields.Nested(PointSchema), required=True)


def phone(**kwargs: Any) -> Text:
    """A phone in E.164: `+79161234567`."""
    return Text(r"\+[1-9][0-9]{9,14}", **kwargs)


def uid(**kwargs: Any) -> Text:
    """A Yandex uid: up to 20 digits."""
    return Text(r"[0-9]{1,20}", **kwargs)


def opaque(**kwargs: Any) -> Text:
    """An opaque id: 1..128 visible ASCII characters."""
    return Text(r"[!-~]{1,128}", **kwargs)


def money(**kwargs: Any) -> ma.fields.Nested:
    """A field that holds money."""
    return ma.fields.Nested(MoneySchema, **kwargs)


def point(**kwargs: Any) -> ma.fields.Nested:
    """A field that holds a point."""
    return ma.fields.Nested(PointSchema, **kwargs)


def route(**kwargs: Any) -> ma.fields.Nested:
    """A field that holds the route of a ride."""
    return ma.fields.Nested(RouteSchema, **kwargs)
