"""JSON shapes of temporary tokens."""

from kit import fields


class OrderSchema(fields.Strict):
    """The music of which order."""

    order_id = fields.Id(required=True)


class TokenSchema(fields.Strict):
    """A token of the passenger's music account, for this taximeter alone."""

    token = fields.Text(longest=4096, required=True)
    expires_at = fields.Moment(required=True)


class PlayerSchema(fields.Strict):
    """Which player."""

    player_id = fields.Id(required=True)


ORDER = OrderSchema()
TOKEN = TokenSchema()
PLAYER = PlayerSchema()
