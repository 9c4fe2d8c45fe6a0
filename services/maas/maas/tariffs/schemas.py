"""JSON shapes of available tariffs."""

from marshmallow import fields as ma
from marshmallow import validate

from kit import fields
from maas.subscriptions.schemas import TariffSchema

_MOST = 50


class TariffsSchema(fields.Strict):
    """What the bank would sell."""

    tariffs = ma.List(ma.Nested(TariffSchema), required=True, validate=validate.Length(min=1, max=_MOST))


class TariffsOfUserSchema(TariffsSchema):
    """What the bank would sell to this person."""

    maas_user_id = fields.Id(required=True)


class AvailabilitySchema(fields.Strict):
    """A tariff, how many of it are left (null: no end), and the code of what refuses it."""

    tariff_id = fields.Id(required=True)
    available = ma.Boolean(required=True, attribute="is_available")
    available_count = ma.Integer(required=True, allow_none=True, attribute="count")
    reason = ma.String(attribute="refusal.code")


class AvailableSchema(fields.Strict):
    """The tariffs in the order asked."""

    tariffs = ma.List(ma.Nested(AvailabilitySchema), required=True)


TARIFFS = TariffsSchema()
TARIFFS_OF_USER = TariffsOfUserSchema()
AVAILABLE = AvailableSchema()
