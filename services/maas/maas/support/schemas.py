"""JSON shapes of what support sees, for `--json`."""

from typing import Any

from marshmallow import fields as ma

from kit import fields
from maas.rides.model import RideState
from maas.subscriptions.model import PromocodeStatus, Status
from maas.subscriptions.schemas import RidesSchema, TariffSchema
from maas.support import model


class PersonSchema(fields.Strict):
    """Somebody, by ids alone."""

    maas_user_id = ma.String(allow_none=True)
    personal_phone_id = ma.String(allow_none=True)
    phone_id = ma.String(allow_none=True)
    yandex_uid = ma.String(allow_none=True)
    uid_kind = ma.String(allow_none=True)
    created_at = fields.Moment(allow_none=True)
    checked_at = fields.Moment(allow_none=True)


class RideSchema(fields.Strict):
    """A line of the ledger."""

    order_id = ma.String()
    state = ma.Enum(RideState, by_value=True)
    reason = ma.String(allow_none=True)
    price = ma.Nested(fields.MoneySchema, allow_none=True)
    held_at = fields.Moment()
    finished_at = fields.Moment(allow_none=True)


class PurchaseSchema(fields.Strict):
    """A subscription; `code` says where its promo code stands, `promocode` has the last characters of it."""

    pass_id = ma.String(attribute="subscription.pass_id")
    status = ma.Enum(Status, by_value=True, attribute="subscription.status")
    cancel_reason = ma.String(attribute="subscription.cancel_reason")
    revoke_reason = ma.String(attribute="history.revoke_reason")
    yandex_uid = ma.String(attribute="subscription.yandex_uid")
    tariff = ma.Nested(TariffSchema, attribute="subscription.tariff")
    created_at = fields.Moment(attribute="history.created_at")
    reserved_until = fields.Moment(attribute="subscription.reserved_until")
    extensions = ma.Integer(attribute="subscription.extensions")
    activated_at = fields.Moment(attribute="subscription.activated_at")
    expiration_datetime = fields.Moment(attribute="subscription.expiration_datetime")
    expired_at = fields.Moment(attribute="history.expired_at")
    canceled_at = fields.Moment(attribute="history.canceled_at")
    paid_refused_at = fields.Moment(attribute="subscription.paid_refused_at")
    promocode_status = ma.Enum(PromocodeStatus, by_value=True, attribute="subscription.promocode_status")
    code = ma.Enum(model.Code, by_value=True)
    promocode = ma.Function(lambda purchase: model.masked(purchase.subscription.promocode))
    rides = ma.Nested(RidesSchema, attribute="subscription.rides")
    ledger = ma.List(ma.Nested(RideSchema), attribute="rides")


class TaskSchema(fields.Strict):
    """A task that is not done."""

    id = ma.Integer()
    queue = ma.String()
    task_id = ma.String()
    state = ma.String()
    attempt = ma.Integer()
    due_at = fields.Moment()
    last_error = ma.String(allow_none=True)


class CaseSchema(fields.Strict):
    """A person with everything bought and the tasks that are not done."""

    person = ma.Nested(PersonSchema)
    subscriptions = ma.List(ma.Nested(PurchaseSchema), attribute="purchases")
    tasks = ma.List(ma.Nested(TaskSchema))


CASES: Any = CaseSchema(many=True)
