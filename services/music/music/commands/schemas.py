"""JSON shapes of commands."""

import re
from typing import Any

import marshmallow
from marshmallow import fields as ma

from kit import fields
from music.commands import model
from music.players.model import Action, Connection
from music.players.model import Status as PlayerStatus

_LONGEST_SEEK_MS = 86_400_000
_LARGEST_OFFSET = 100_000
_LARGEST_VERSION = 2**53


class Uuid(fields.Id):
    """A uuid in its usual form."""

    pattern = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
    _complaint = "Not a uuid."


class NoArgsSchema(fields.Strict):
    """The action says it all."""


class ItemSchema(fields.Strict):
    """What to play (M-19), from its part number `offset` on."""

    type = ma.Enum(model.ItemType, by_value=True, required=True)
    id = fields.Id(required=True)
    offset = fields.Whole(least=0, most=_LARGEST_OFFSET)

    @marshmallow.post_load
    def _plain(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return data | {"type": data["type"].value}


class VolumeSchema(fields.Strict):
    """How loud (M-20)."""

    volume = fields.Whole(least=0, most=100, required=True)


class SeekSchema(fields.Strict):
    """Where to in the track."""

    position_ms = fields.Whole(least=0, most=_LONGEST_SEEK_MS, required=True)


ARGS: dict[Action, marshmallow.Schema] = dict.fromkeys(Action, NoArgsSchema()) | {
    Action.PLAY_ITEM: ItemSchema(),
    Action.SET_VOLUME: VolumeSchema(),
    Action.SEEK: SeekSchema(),
}


class CommandSchema(fields.Strict):
    """What the passenger asks for; `args` are those of `play_item`, `set_volume` or `seek`, empty for the others."""

    order_id = fields.Id(required=True)
    command_id = Uuid(required=True)
    action = ma.Enum(Action, by_value=True, required=True)
    args = ma.Dict(keys=ma.String(), load_default=dict)
    expected_version = fields.Whole(least=0, most=_LARGEST_VERSION, allow_none=True, load_default=None)

    @marshmallow.post_load
    def _with_args(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        try:
            return data | {"args": ARGS[data["action"]].load(data["args"])}
        except marshmallow.ValidationError as invalid:
            raise marshmallow.ValidationError({"args": invalid.messages}) from None


class AcceptedSchema(fields.Strict):
    """A command and where it stands; `version` of the player is the one that it made."""

    command_id = ma.String(required=True)
    seq = ma.Integer(required=True)
    status = ma.Enum(model.Status, by_value=True, required=True)
    version = ma.Integer(required=True)


class PushSchema(fields.Strict):
    """Which command to push, for the how manieth time."""

    player_id = fields.Id(required=True)
    seq = fields.Whole(least=1, most=2**31 - 1, required=True)
    attempt = fields.Whole(least=1, most=1000, required=True)


class HistoryQuerySchema(fields.Strict):
    """Which order."""

    order_id = fields.Id(required=True)


class FateSchema(fields.Strict):
    """A command with its fate; times in UTC."""

    seq = ma.Integer(required=True)
    command_id = ma.String(required=True)
    action = ma.Enum(Action, by_value=True, required=True)
    args = ma.Dict(required=True)
    version = ma.Integer(required=True)
    status = ma.Enum(model.Status, by_value=True, required=True)
    reason = ma.String(required=True, allow_none=True)
    created_at = fields.Moment(required=True)
    expires_at = fields.Moment(required=True)
    delivered_at = fields.Moment(required=True, allow_none=True)
    settled_at = fields.Moment(required=True, allow_none=True)
    late_result = ma.String(required=True, allow_none=True)
    late_at = fields.Moment(required=True, allow_none=True)


class PlayerHistorySchema(fields.Strict):
    """A player with its commands, the newest last."""

    player_id = ma.String(required=True)
    park_id = ma.String(required=True)
    driver_profile_id = ma.String(required=True)
    status = ma.Enum(PlayerStatus, by_value=True, required=True)
    close_reason = ma.String(required=True, allow_none=True)
    connection = ma.Enum(Connection, by_value=True, required=True)
    opened_at = fields.Moment(required=True)
    reported_at = fields.Moment(required=True, allow_none=True)
    closed_at = fields.Moment(required=True, allow_none=True)
    commands = ma.List(ma.Nested(FateSchema), required=True)


class HistorySchema(fields.Strict):
    """The players of an order, the newest last."""

    players = ma.List(ma.Nested(PlayerHistorySchema), required=True)


def answer(accepted: model.Accepted) -> dict[str, Any]:
    """`ACCEPTED.dump(accepted)` by hand: these answers are hot, and a test holds the two equal."""
    return {
        "command_id": accepted.command_id,
        "seq": accepted.seq,
        "status": accepted.status,
        "version": accepted.version,
    }


COMMAND = CommandSchema()
ACCEPTED = AcceptedSchema()
PUSH = PushSchema()
HISTORY_QUERY = HistoryQuerySchema()
HISTORY = HistorySchema()
