"""JSON shapes of subscriptions."""

from typing import Any

import marshmallow
from marshmallow import fields as ma

from kit import fields
from maas.subscriptions import model


class TariffSchema(fields.Strict):
    """The conditions that the partner offers."""

    tariff_id = fields.Id(required=True)
    price = fields.amount_of_money(required=True)
    taxi_rides = fields.Whole(least=1, most=1000, required=True)
    duration_days = fields.Whole(least=1, most=366, required=True)

    @marshmallow.post_load
    def _tariff(self, data: dict[str, Any], **_: Any) -> model.Tariff:
        return model.Tariff(**data)


class SaleSchema(fields.Strict):
    """What the partner is about to sell."""

    pass_id = fields.Id(required=True)
    maas_user_id = fields.Id(required=True)
    tariff = ma.Nested(TariffSchema, required=True)
    user_token = fields.Id()

    @marshmallow.post_load
    def _sale(self, data: dict[str, Any], **_: Any) -> model.Sale:
        return model.Sale(**data)


class PassSchema(fields.Strict):
    """Which subscription."""

    pass_id = fields.Id(required=True)


class CancelSchema(PassSchema):
    """Which subscription, and why it is canceled."""

    reason = fields.Text(longest=64, load_default="canceled_by_partner")

    @marshmallow.validates("reason")
    def _not_ours(self, value: str, **_: Any) -> None:
        if value in model.OWN_REASONS:
            raise marshmallow.ValidationError("This reason is given by the service itself.")


class WhichSchema(fields.Strict):
    """One subscription by its pass, or a person's present one."""

    pass_id = fields.Id()
    maas_user_id = fields.Id()

    @marshmallow.validates_schema
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise marshmallow.ValidationError("Either pass_id or maas_user_id.")


class MovedSchema(fields.Strict):
    """A subscription after a move."""

    pass_id = fields.Id(required=True)
    status = ma.Enum(model.Status, by_value=True, required=True)


class ActivatedSchema(MovedSchema):
    """A subscription that counts its days."""

    expiration_datetime = fields.Moment(required=True)


class ReservedSchema(ActivatedSchema):
    """A subscription that waits for its payment."""

    reserved_until = fields.Moment(required=True)


class ExtendedSchema(MovedSchema):
    """A reservation that was kept for longer."""

    reserved_until = fields.Moment(required=True)


class StatusSchema(MovedSchema):
    """The light poll."""

    promocode_status = ma.Enum(model.PromocodeStatus, by_value=True, required=True)
    updated_at = fields.Moment(required=True)


class RidesSchema(fields.Strict):
    """Taxi rides of a subscription."""

    total = ma.Integer(required=True)
    used = ma.Integer(required=True)
    held = ma.Integer(required=True)
    left = ma.Integer(required=True)


class InfoSchema(ReservedSchema):
    """Everything that the partner may know of a subscription."""

    maas_user_id = fields.Id(required=True)
    tariff = ma.Nested(TariffSchema, required=True)
    cancel_reason = ma.String(allow_none=True, required=True)
    activated_at = fields.Moment(allow_none=True, required=True)
    promocode_status = ma.Enum(model.PromocodeStatus, by_value=True, required=True)
    rides = ma.Nested(RidesSchema, required=True)


SALE = SaleSchema()
PASS = PassSchema()
CANCEL = CancelSchema()
WHICH = WhichSchema()
MOVED = MovedSchema()
ACTIVATED = ActivatedSchema()
RESERVED = ReservedSchema()
EXTENDED = ExtendedSchema()
STATUS = StatusSchema()
INFO = InfoSchema()
