"""JSON shapes of binding: tasks, the passenger's subscription, the shortcut."""

from typing import Any

import marshmallow
from marshmallow import fields as ma
from marshmallow import validate

from kit import fields, identity, texts
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


class PassengerSchema(fields.Strict):
    """A passenger as another service names one, with the language of the app."""

    yandex_uid = fields.Uid(required=True)
    personal_phone_id = fields.Id(load_default=None, allow_none=True)
    phone_id = fields.Id(load_default=None, allow_none=True)
    flags = ma.List(fields.Text(longest=64), validate=validate.Length(max=64), load_default=list)
    language = ma.String(validate=validate.OneOf(texts.LANGUAGES), load_default=None, allow_none=True)

    @marshmallow.post_load
    def _passenger(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        language = data.pop("language")
        flags = frozenset(data.pop("flags"))
        return {"passenger": identity.Passenger(flags=flags, **data), "language": language}


class ButtonSchema(fields.Strict):
    """The subscription's button."""

    title = ma.String(required=True)
    subtitle = ma.String(required=True)
    deeplink = ma.String(required=True)
    rides_left = ma.Integer(required=True)
    pass_id = fields.Id(required=True)


class ShortcutSchema(fields.Strict):
    """The button, or null where there is nothing to ride by."""

    shortcut = ma.Nested(ButtonSchema, required=True, allow_none=True)


class RegisteredSchema(fields.Strict):
    """How the metro calls the passenger."""

    maas_user_id = fields.Id(required=True)


MATCH = MatchSchema()
PASSENGER_SUBSCRIPTION = PassengerSubscriptionSchema()
PASSENGER = PassengerSchema()
SHORTCUT = ShortcutSchema()
REGISTERED = RegisteredSchema()
