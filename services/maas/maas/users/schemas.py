"""JSON shapes of people."""

from marshmallow import fields as ma

from kit import fields


class NewUserSchema(fields.Strict):
    """Who VTB has registered, or which phone a registered person has now."""

    maas_user_id = fields.Id(required=True)
    phone = fields.Text(longest=32, required=True)


class UserSchema(fields.Strict):
    """The person as the partner may see it: never a phone or a uid."""

    maas_user_id = fields.Id(required=True)
    matched = ma.Boolean(required=True, attribute="is_matched")


NEW_USER = NewUserSchema()
USER = UserSchema()
