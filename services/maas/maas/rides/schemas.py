"""JSON shapes of rides."""

from collections.abc import Callable
from typing import Any

import marshmallow
from marshmallow import fields as ma
from marshmallow import validate

from kit import fields
from maas.rides import model
from maas.subscriptions import schemas as subscriptions


class RouteSchema(fields.Strict):
    """The points of an order."""

    a = fields.point(required=True)
    b = fields.point(required=True)
    intermediate = ma.List(fields.point(), load_default=list, validate=validate.Length(max=10))

    @marshmallow.post_load
    def _route(self, data: dict[str, Any], **_: Any) -> model.Route:
        return model.Route(**data)


class TripSchema(fields.Strict):
    """A ride as coupons and processing know it."""

    route = ma.Nested(RouteSchema, required=True)
    price = fields.amount_of_money(required=True)
    payment_method = fields.Text(longest=32, required=True)
    planned_b = fields.point(load_default=None)
    paid_waiting = fields.amount_of_money(load_default=None)

    @marshmallow.validates_schema
    def _waiting_is_a_part(self, data: dict[str, Any], **_: Any) -> None:
        waiting = data.get("paid_waiting")
        if waiting and (waiting.currency != data["price"].currency or waiting.amount > data["price"].amount):
            raise marshmallow.ValidationError("paid_waiting is a part of price.", "paid_waiting")

    def _with_trip(self, data: dict[str, Any]) -> dict[str, Any]:
        parts = ("route", "price", "payment_method", "planned_b", "paid_waiting")
        return data | {"trip": model.Trip(**{part: data.pop(part) for part in parts})}


class CheckSchema(TripSchema):
    """Does this code pay for this ride?"""

    promocode = fields.Text(longest=64, required=True)
    yandex_uid = fields.Uid(required=True)
    order_id = fields.Id(load_default=None)
    stage = ma.Enum(model.Stage, by_value=True, required=True)

    @marshmallow.post_load
    def _asked(self, data: dict[str, Any], **_: Any) -> model.Asked:
        return model.Asked(**self._with_trip(data))


class HoldSchema(TripSchema):
    """Take one ride for this order."""

    order_id = fields.Id(required=True)
    promocode = fields.Text(longest=64, required=True)
    yandex_uid = fields.Uid(required=True)

    @marshmallow.post_load
    def _asked(self, data: dict[str, Any], **_: Any) -> model.Asked:
        return model.Asked(**self._with_trip(data))


class CompleteSchema(TripSchema):
    """This order has ended."""

    order_id = fields.Id(required=True)
    finished_at = fields.Moment(load_default=None)

    @marshmallow.post_load
    def _ended(self, data: dict[str, Any], **_: Any) -> model.Ended:
        return model.Ended(**self._with_trip(data))


class OrderSchema(fields.Strict):
    """Which order."""

    order_id = fields.Id(required=True)


class VerdictSchema(fields.Strict):
    """Whether the code pays, and if not, why, and whether other points would help."""

    valid = ma.Boolean(required=True, attribute="is_valid")
    valid_any = ma.Boolean(required=True, attribute="is_valid_for_other_points")
    code = ma.String(attribute="refusal.code")
    message = ma.String(attribute="refusal.message")
    details = ma.Dict(attribute="refusal.details")


class LedgerEntrySchema(fields.Strict):
    """A ride and what is left of its subscription."""

    order_id = fields.Id(required=True, attribute="ride.order_id")
    pass_id = fields.Id(required=True, attribute="ride.pass_id")
    state = ma.Enum(model.RideState, by_value=True, required=True, attribute="ride.state")
    code = ma.String(allow_none=True, required=True, attribute="ride.reason")
    rides = ma.Nested(subscriptions.RidesSchema, required=True)


def told(verdict: model.Verdict, say: Callable[[str], str]) -> dict[str, Any]:
    """`VERDICT.dump(verdict)`, its message in the caller's language."""
    answer: dict[str, Any] = VERDICT.dump(verdict)
    if "message" in answer:
        answer["message"] = say(answer["message"])
    return answer


CHECK = CheckSchema()
HOLD = HoldSchema()
COMPLETE = CompleteSchema()
ORDER = OrderSchema()
VERDICT = VerdictSchema()
LEDGER_ENTRY = LedgerEntrySchema()
