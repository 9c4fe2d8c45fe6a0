"""JSON shapes of reports and of the commands that a taximeter gets."""

from typing import Any

import marshmallow
from marshmallow import fields as ma
from marshmallow import validate

from kit import clock, fields
from music.commands import model as commands
from music.players.model import Action, Playback, State
from music.taximeter import model

_LONGEST_TRACK_MS = 86_400_000
_LARGEST_SEQ = 2**31 - 1
_LARGEST_REPORT_SEQ = 2**53
_LONGEST_WAIT_MS = 25_000
_REJECTED = "rejected"


class ReportedTrackSchema(fields.Strict):
    """A track as the SDK describes it."""

    id = fields.Id(required=True)
    title = fields.Text(longest=512, required=True)
    artists = ma.List(fields.Text(), required=True, validate=validate.Length(max=50))
    album = fields.Text(longest=512, allow_none=True, load_default=None)
    duration_ms = fields.Whole(least=0, most=_LONGEST_TRACK_MS, required=True)
    cover_uri = fields.Text(longest=1024, allow_none=True, load_default=None)
    explicit = ma.Boolean(truthy={True}, falsy={False}, load_default=False)
    private = ma.Boolean(truthy={True}, falsy={False}, load_default=False)


class ContextSchema(fields.Strict):
    """What the track is played from: a playlist, an album, a station."""

    type = fields.Id(required=True)
    id = fields.Id(required=True)
    title = fields.Text(longest=512, allow_none=True, load_default=None)


class DisallowSchema(fields.Strict):
    """What the taximeter can't do now."""

    action = ma.Enum(Action, by_value=True, required=True)
    reason = fields.Id(required=True)


class ReportedStateSchema(fields.Strict):
    """What the speakers do: `position_ms` of the track at `position_at`; `volume` null when it can't be set."""

    playback = ma.Enum(Playback, by_value=True, required=True)
    track = ma.Nested(ReportedTrackSchema, required=True, allow_none=True)
    position_ms = fields.Whole(least=0, most=_LONGEST_TRACK_MS, allow_none=True, load_default=None)
    position_at = fields.Moment(allow_none=True, load_default=None)
    volume = fields.Whole(least=0, most=100, allow_none=True, load_default=None)
    context = ma.Nested(ContextSchema, allow_none=True, load_default=None)
    disallows = ma.List(ma.Nested(DisallowSchema), load_default=list, validate=validate.Length(max=len(Action)))

    @marshmallow.validates_schema
    def _whole_position(self, data: dict[str, Any], **_: Any) -> None:
        if (data.get("position_ms") is None) != (data.get("position_at") is None):
            raise marshmallow.ValidationError("position_ms and position_at go together.")

    @marshmallow.post_load
    def _state(self, data: dict[str, Any], **_: Any) -> State:
        disallows = {each["action"]: each["reason"] for each in data.pop("disallows")}
        return State(disallows=disallows, **data)


class ResultSchema(fields.Strict):
    """What became of a command; rejected is a failure that the SDK wanted nothing of."""

    seq = fields.Whole(least=1, most=_LARGEST_SEQ, required=True)
    result = ma.String(required=True, validate=validate.OneOf(("applied", "failed", _REJECTED)))
    reason = fields.Id(allow_none=True, load_default=None)

    @marshmallow.post_load
    def _result(self, data: dict[str, Any], **_: Any) -> commands.Result:
        if data["result"] == "applied":
            return commands.Result(data["seq"], commands.Status.APPLIED, None)
        return commands.Result(data["seq"], commands.Status.FAILED, data["reason"] or data["result"])


class ReportSchema(fields.Strict):
    """A report: number `report_seq` of this session, and everything up to `applied_seq` is behind the device."""

    order_id = fields.Id(required=True)
    device_session = fields.Id(required=True)
    report_seq = fields.Whole(least=1, most=_LARGEST_REPORT_SEQ, required=True)
    state = ma.Nested(ReportedStateSchema, required=True)
    applied_seq = fields.Whole(least=0, most=_LARGEST_SEQ, required=True)
    results = ma.List(ma.Nested(ResultSchema), load_default=list, validate=validate.Length(max=100))

    @marshmallow.validates_schema
    def _one_result_each(self, data: dict[str, Any], **_: Any) -> None:
        seqs = [result.seq for result in data["results"]]
        if len(seqs) != len(set(seqs)):
            raise marshmallow.ValidationError("A command has one result.", "results")

    @marshmallow.post_load
    def _report(self, data: dict[str, Any], **_: Any) -> model.Report:
        told = commands.Told.of(data.pop("results"), data.pop("applied_seq"))
        return model.Report(told=told, **data)


class PullSchema(fields.Strict):
    """What is open after `after_seq`; with `wait_ms` the answer waits so long for something."""

    order_id = fields.Id(required=True)
    after_seq = fields.Whole(least=0, most=_LARGEST_SEQ, load_default=0)
    wait_ms = fields.Whole(least=0, most=_LONGEST_WAIT_MS, load_default=0)


class OpenCommandSchema(fields.Strict):
    """A command to carry out: in the order of `seq`, and not when `expires_in_ms` are over."""

    seq = ma.Integer(required=True)
    command_id = ma.String(required=True)
    action = ma.Enum(Action, by_value=True, required=True)
    args = ma.Dict(required=True)
    expires_at = fields.Moment(required=True)
    expires_in_ms = ma.Integer(required=True)


class OrdersSchema(fields.Strict):
    """The version of the player, and the commands to carry out."""

    version = ma.Integer(required=True)
    commands = ma.List(ma.Nested(OpenCommandSchema), required=True)


def answer(orders: model.Orders) -> dict[str, Any]:
    """`ORDERS.dump(orders)` by hand: these answers are hot, and a test holds the two equal."""
    return {
        "version": orders.version,
        "commands": [
            {
                "seq": each.seq,
                "command_id": each.command_id,
                "action": each.action,
                "args": each.args,
                "expires_at": clock.to_wire(each.expires_at),
                "expires_in_ms": each.expires_in_ms,
            }
            for each in orders.commands
        ],
    }


REPORT = ReportSchema()
PULL = PullSchema()
ORDERS = OrdersSchema()
