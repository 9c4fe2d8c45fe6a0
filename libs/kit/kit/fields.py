"""The marshmallow fields that several services' schemas share; all of them bounded, so that nothing grows unseen."""

import datetime
import decimal
import math
import re
from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from kit import clock, geo, money

_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,2})?")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_REAL = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class Word(str):
    """A value of a query, where a number can only be its digits; in a body a number that is a string is refused."""

    __slots__ = ()


class Strict(ma.Schema):
    """The parent of every schema: an unknown field of a request is refused."""

    class Meta:
        unknown = ma.RAISE


class Id(ma.fields.String):
    """An opaque id: 1..64 visible ASCII characters."""

    pattern = re.compile(r"[!-~]{1,64}")
    _complaint = "Not an id: 1 to 64 visible ASCII characters."

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        found: str = super()._deserialize(value, attr, data, **kwargs)
        if not self.pattern.fullmatch(found):
            raise ma.ValidationError(self._complaint)
        return found


class Uid(Id):
    """A Yandex uid: up to 20 digits."""

    pattern = re.compile(r"[0-9]{1,20}")
    _complaint = "Not a uid: 1 to 20 digits."


class Currency(Id):
    """An ISO 4217 code."""

    pattern = re.compile(r"[A-Z]{3}")
    _complaint = "Not a currency: three capital letters."


class Text(ma.fields.String):
    """Free text of people, at most `longest` characters, without control characters."""

    pattern = re.compile(r"[^\x00-\x1f\x7f]*")

    def __init__(self, *, longest: int = 256, **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Length(min=1, max=longest), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        found: str = super()._deserialize(value, attr, data, **kwargs)
        if not self.pattern.fullmatch(found):
            raise ma.ValidationError("Has a control character.")
        return found


class Whole(ma.fields.Integer):
    """A whole number in a closed range: a query's digits, a body's number (1.0 too, as in JSON Schema), never true."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Range(min=least, max=most), **kwargs)

    def _validated(self, value: Any) -> int:
        if isinstance(value, Word):
            is_whole = _WHOLE.fullmatch(value) is not None
        elif isinstance(value, float):
            is_whole = value.is_integer()
        else:
            is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole:
            raise ma.ValidationError("Not a whole number.")
        return int(value)


class Degrees(ma.fields.Float):
    """A latitude (`most=90`) or longitude (`most=180`) in degrees of WGS 84."""

    def __init__(self, *, most: float, **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Range(min=-most, max=most), allow_nan=False, **kwargs)

    def _validated(self, value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number and not (isinstance(value, Word) and _REAL.fullmatch(value)):
            raise ma.ValidationError("Not a number.")
        found: float = super()._validated(value)
        if not math.isfinite(found):
            raise ma.ValidationError("Not a finite number.")
        return found


class PointSchema(Strict):
    """`{"lat": 55.75, "lon": 37.61}`, WGS 84, loaded as `geo.Point`."""

    lat = Degrees(most=90, required=True)
    lon = Degrees(most=180, required=True)

    @ma.post_load
    def _point(self, data: dict[str, float], **_: Any) -> geo.Point:
        return geo.Point(data["lat"], data["lon"])


def point(**kwargs: Any) -> ma.fields.Nested:
    """A field that holds a point."""
    return ma.fields.Nested(PointSchema, **kwargs)


class Amount(ma.fields.Field[decimal.Decimal]):
    """A decimal string with at most two places after the point: `"169.00"`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> decimal.Decimal:
        if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
            raise ma.ValidationError("Not an amount: a string like 169.00.")
        return decimal.Decimal(value)

    def _serialize(self, value: decimal.Decimal | None, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else money.Money(value).to_wire()["amount"]


class MoneySchema(Strict):
    """`{"amount": "169.00", "currency": "RUB"}`, loaded as `money.Money`."""

    amount = Amount(required=True)
    currency = Currency(required=True)

    @ma.post_load
    def _money(self, data: dict[str, Any], **_: Any) -> money.Money:
        return money.Money(data["amount"], data["currency"])


def amount_of_money(**kwargs: Any) -> ma.fields.Nested:
    """A field that holds money."""
    return ma.fields.Nested(MoneySchema, **kwargs)


class Moment(ma.fields.Field[datetime.datetime]):
    """A time: RFC 3339 with offset on the wire, an aware datetime in UTC inside."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime.datetime:
        try:
            if not isinstance(value, str) or not _MOMENT.fullmatch(value):
                raise ValueError
            return datetime.datetime.fromisoformat(value.upper()).astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            raise ma.ValidationError("Not a time: RFC 3339 with offset.") from None

    def _serialize(self, value: datetime.datetime | None, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else clock.to_wire(value)
