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
_CURRENCY = re.compile(r"[A-Z]{3}")


class Strict(ma.Schema):
    """The parent of every schema: an unknown field of a request is refused."""

    class Meta:
        unknown = ma.RAISE


class Id(ma.fields.String):
    """An opaque id: 1..64 visible ASCII characters."""

    _pattern = re.compile(r"[!-~]{1,64}")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        found: str = super()._deserialize(value, attr, data, **kwargs)
        if not self._pattern.fullmatch(found):
            raise ma.ValidationError("Not an id: 1 to 64 visible ASCII characters.")
        return found


class Uid(Id):
    """A Yandex uid: up to 20 digits."""

    _pattern = re.compile(r"[0-9]{1,20}")


class Text(ma.fields.String):
    """Free text of people, at most `longest` characters, without control characters."""

    def __init__(self, *, longest: int = 256, **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Length(min=1, max=longest), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        found: str = super()._deserialize(value, attr, data, **kwargs)
        if any(ord(char) < 32 or ord(char) == 127 for char in found):
            raise ma.ValidationError("Has a control character.")
        return found


class Whole(ma.fields.Integer):
    """A whole number in a closed range; a query's digits and a body's number are both taken, true and 1.0 are not."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Range(min=least, max=most), **kwargs)

    def _validated(self, value: Any) -> int:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if not is_number and not (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value)):
            raise ma.ValidationError("Not a whole number.")
        return int(value)


class Degrees(ma.fields.Float):
    """A latitude (`most=90`) or longitude (`most=180`) in degrees of WGS 84."""

    def __init__(self, *, most: float, **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Range(min=-most, max=most), allow_nan=False, **kwargs)

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool):
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
    currency = ma.fields.String(required=True, validate=ma.validate.Regexp(r"[A-Z]{3}\Z"))

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
            found = datetime.datetime.fromisoformat(value)
            if not isinstance(value, str) or len(value) < 20 or found.tzinfo is None:
                raise ValueError
            return found.astimezone(datetime.UTC)
        except (TypeError, ValueError, OverflowError):
            raise ma.ValidationError("Not a time: RFC 3339 with offset.") from None

    def _serialize(self, value: datetime.datetime | None, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else clock.to_wire(value)
