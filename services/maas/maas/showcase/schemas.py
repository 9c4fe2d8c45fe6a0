"""JSON shapes of the showcase."""

from marshmallow import fields as ma

from kit import fields
from maas.binding import schemas as binding


class OfferSchema(fields.Strict):
    """A tariff on the screen."""

    tariff_id = fields.Id(required=True)
    price = fields.amount_of_money(required=True)
    taxi_rides = ma.Integer(required=True)
    duration_days = ma.Integer(required=True)
    title = ma.String(required=True)
    description = ma.String(required=True)
    details = ma.List(ma.String(), required=True)


class ScreenSchema(fields.Strict):
    """What the screen says apart from the tariffs."""

    title = ma.String(required=True)
    subtitle = ma.String(required=True)
    buy_button = ma.String(required=True)
    phone_notice = ma.String(required=True)
    terms_title = ma.String(required=True)
    terms_url = ma.String(required=True)


class ProductSchema(fields.Strict):
    """The purchase screen; `subscription` is the live one, if there is one."""

    maas_user_id = fields.Id(required=True)
    tariffs = ma.List(ma.Nested(OfferSchema), required=True)
    ui = ma.Nested(ScreenSchema, required=True)
    subscription = ma.Nested(binding.PassengerSubscriptionSchema, required=True, allow_none=True)


class StartSchema(fields.Strict):
    """What the person wants to buy."""

    tariff_id = fields.Id(required=True)


class PurchaseSchema(fields.Strict):
    """Where the purchase goes on; the parts of the link are told apart, too."""

    webview_url = ma.String(required=True)
    maas_user_id = fields.Id(required=True)
    tariff_id = fields.Id(required=True)
    user_token = ma.String(required=True)
    expires_at = fields.Moment(required=True)


PRODUCT = ProductSchema()
START = StartSchema()
PURCHASE = PurchaseSchema()
