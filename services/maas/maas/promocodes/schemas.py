"""JSON shapes of promo codes."""

from marshmallow import fields as ma
from marshmallow import validate

from kit import fields

_MOST = 500


class PromocodesSchema(fields.Strict):
    """Codes of anybody's."""

    promocodes = ma.List(fields.Text(longest=64), required=True, validate=validate.Length(max=_MOST))


class OursSchema(fields.Strict):
    """Those of the codes that are subscriptions'."""

    ours = ma.List(ma.String(), required=True)


PROMOCODES = PromocodesSchema()
OURS = OursSchema()
