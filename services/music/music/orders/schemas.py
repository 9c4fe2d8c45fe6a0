"""JSON shapes of the events of processing."""

from typing import Any

import marshmallow
from marshmallow import fields as ma
from marshmallow import validate

from kit import fields
from music.orders import model
from music.players.model import Driver

_LARGEST_SEQ = 2**53


class PassengerSchema(fields.Strict):
    """Who rides."""

    yandex_uid = fields.Uid(required=True)
    flags = ma.List(fields.Text(longest=64), validate=validate.Length(max=100), required=True)
    phone_id = fields.Id(allow_none=True, load_default=None)
    application = fields.Text(longest=64, allow_none=True, load_default=None)
    application_version = fields.Text(longest=64, allow_none=True, load_default=None)
    city = fields.Text(longest=64, allow_none=True, load_default=None)

    @marshmallow.post_load
    def _passenger(self, data: dict[str, Any], **_: Any) -> model.Passenger:
        return model.Passenger(**data | {"flags": frozenset(data["flags"])})


class DriverSchema(fields.Strict):
    """Who drives, and what the taximeter is."""

    park_id = fields.Id(required=True)
    driver_profile_id = fields.Id(required=True)
    application_version = fields.Text(longest=64, required=True)


class AssignmentSchema(fields.Strict):
    """An order was given to a driver (M-33)."""

    order_id = fields.Id(required=True)
    event_seq = fields.Whole(least=0, most=_LARGEST_SEQ, required=True)
    passenger = ma.Nested(PassengerSchema, required=True)
    driver = ma.Nested(DriverSchema, required=True)

    @marshmallow.post_load
    def _assignment(self, data: dict[str, Any], **_: Any) -> model.Assignment:
        driver = data.pop("driver")
        return model.Assignment(
            **data,
            driver=Driver(driver["park_id"], driver["driver_profile_id"]),
            taximeter_version=driver["application_version"],
        )


class AssignmentMessageSchema(AssignmentSchema):
    """The same by the queue, where processing may say more than we know, at any depth."""

    passenger = ma.Nested(PassengerSchema(unknown=marshmallow.EXCLUDE), required=True)
    driver = ma.Nested(DriverSchema(unknown=marshmallow.EXCLUDE), required=True)


class FinishSchema(fields.Strict):
    """An order is over (M-33)."""

    order_id = fields.Id(required=True)
    event_seq = fields.Whole(least=0, most=_LARGEST_SEQ, required=True)
    reason = fields.Id(required=True)

    @marshmallow.post_load
    def _finish(self, data: dict[str, Any], **_: Any) -> model.Finish:
        return model.Finish(**data)


class OutcomeSchema(fields.Strict):
    """The player of an assignment, or why there is none."""

    player_id = fields.Id(required=True, allow_none=True)
    reason = fields.Text(required=True, allow_none=True)


ASSIGNMENT = AssignmentSchema()
ASSIGNMENT_MESSAGE = AssignmentMessageSchema()
FINISH = FinishSchema()
OUTCOME = OutcomeSchema()
DONE = fields.Strict()
