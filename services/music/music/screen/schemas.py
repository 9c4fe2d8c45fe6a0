"""JSON shapes of the screen."""

from marshmallow import fields as ma

from kit import fields
from music.players.model import Action, Connection, Playback

_LONGEST_WAIT_MS = 25_000


class PollSchema(fields.Strict):
    """Which order; with If-None-Match, how long to wait for a change."""

    order_id = fields.Id(required=True)
    wait_ms = fields.Whole(least=0, most=_LONGEST_WAIT_MS, load_default=0)


class ShownTrackSchema(fields.Strict):
    """A track as the taximeter reported it."""

    id = ma.String(required=True)
    title = ma.String(required=True)
    artists = ma.List(ma.String(), required=True)
    album = ma.String(required=True, allow_none=True)
    duration_ms = ma.Integer(required=True)
    cover_uri = ma.String(required=True, allow_none=True)
    explicit = ma.Boolean(required=True)
    private = ma.Boolean(required=True)


class ButtonSchema(fields.Strict):
    """Whether an action can be asked for now, else the reason."""

    allowed = ma.Boolean(required=True)
    reason = ma.String()


class PendingSchema(fields.Strict):
    """A command that waits for the taximeter until `deadline`."""

    command_id = ma.String(required=True)
    seq = ma.Integer(required=True)
    action = ma.Enum(Action, by_value=True, required=True)
    deadline = fields.Moment(required=True)


class LastErrorSchema(fields.Strict):
    """The command that failed last."""

    command_id = ma.String(required=True)
    code = ma.String(required=True)


class ScreenSchema(fields.Strict):
    """The player as its passenger sees it."""

    player_id = ma.String(required=True)
    version = ma.Integer(required=True)
    playback = ma.Enum(Playback, by_value=True, required=True)
    track = ma.Nested(ShownTrackSchema, required=True, allow_none=True)
    position_ms = ma.Integer(required=True, allow_none=True)
    position_at = fields.Moment(required=True, allow_none=True)
    volume = ma.Integer(required=True, allow_none=True)
    actions = ma.Nested(
        fields.Strict.from_dict({action.value: ma.Nested(ButtonSchema, required=True) for action in Action}),
        required=True,
    )
    pending = ma.Nested(PendingSchema, required=True, allow_none=True)
    last_error = ma.Nested(LastErrorSchema, required=True, allow_none=True)
    connection = ma.Enum(Connection, by_value=True, required=True)
    polling_interval_ms = ma.Integer(required=True)


class RideSchema(fields.Strict):
    """Whose ride."""

    order_id = fields.Id(required=True)
    yandex_uid = fields.Uid(required=True)


class TotwSchema(fields.Strict):
    """Whether a client polls, from which status of the order, and how often."""

    enabled = ma.Boolean(required=True)
    poll_from_status = ma.String(required=True)
    polling_interval_ms = ma.Integer(required=True)


POLL = PollSchema()
STATE = ScreenSchema()
RIDE = RideSchema()
TOTW = TotwSchema()
