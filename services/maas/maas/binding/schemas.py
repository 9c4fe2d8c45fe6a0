"""JSON shapes for the passenger."""

from marshmallow import fields as ma

from kit import fields
from maas.subscriptions import model
from maas.subscriptions import schemas as subscriptions


class MatchSchema(fields.Strict):
    """Whose account is sought."""

    maas_user_id = fields.Id(required=True)


class PassengerSubscriptionSchema(fields.Strict):
    """What the app shows; `preparing` says that the promo code is on its way."""

    pass_id = fields.Id(required=True)
    status = ma.Enum(model.Status, by_value=True, required=True)
    tariff = ma.Nested(subscriptions.TariffSchema, required=True)
    expiration_datetime = fields.Moment(required=True)
    rides = ma.Nested(subscriptions.RidesSchema, required=True)
    promocode = ma.String(allow_none=True, required=True)
    preparing = ma.Boolean(required=True, attribute="needs_promocode")


MATCH = MatchSchema()
PASSENGER_SUBSCRIPTION = PassengerSubscriptionSchema()
