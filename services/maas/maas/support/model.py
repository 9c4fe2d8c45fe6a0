"""What support sees of a person."""

import datetime
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit import errors, money
from maas.rides.model import RideState
from maas.subscriptions.model import PromocodeStatus, Status, Subscription

REVOKED = "revoked_by_support"
"""The `cancel_reason` of what support has revoked."""

_SHOWN = 3


class By(enum.StrEnum):
    """What somebody may be found by."""

    PASS_ID = "pass_id"  # noqa: S105
    MAAS_USER_ID = "maas_user_id"
    YANDEX_UID = "yandex_uid"
    PERSONAL_PHONE_ID = "personal_phone_id"
    ORDER_ID = "order_id"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, by ids alone; nobody of the metro while `maas_user_id` is None."""

    maas_user_id: str | None
    personal_phone_id: str | None = None
    yandex_uid: str | None = None
    uid_kind: str | None = None
    phone_id: str | None = None
    checked_at: datetime.datetime | None = None
    created_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Ride:
    """A line of the ledger."""

    order_id: str
    pass_id: str
    state: RideState
    reason: str | None
    price: money.Money | None
    held_at: datetime.datetime
    finished_at: datetime.datetime | None

    @classmethod
    def from_row(cls, **row: Any) -> "Ride":
        """From the columns that `queries` reads."""
        amount, currency = row.pop("amount"), row.pop("currency")
        price = None if amount is None else money.Money(amount, currency)
        return cls(state=RideState(row.pop("state")), price=price, **row)


@dataclass(frozen=True, slots=True)
class History:
    """When a subscription moved, and what support wrote of it."""

    pass_id: str
    created_at: datetime.datetime
    canceled_at: datetime.datetime | None
    expired_at: datetime.datetime | None
    revoke_reason: str | None


@dataclass(frozen=True, slots=True)
class Task:
    """A task that is not done."""

    id: int
    queue: str
    task_id: str
    state: str
    attempt: int
    due_at: datetime.datetime
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Purchase:
    """A subscription with its past and its rides, the last ride first."""

    subscription: Subscription
    history: History
    rides: Sequence[Ride]
    issue: Task | None

    @property
    def code(self) -> "Code":
        """Where its promo code stands."""
        return code_of(self.subscription)

    @property
    def is_paid_for_nothing(self) -> bool:
        """True when the bank took the money and the person got nothing for it."""
        subscription = self.subscription
        return subscription.paid_refused_at is not None and subscription.cancel_reason == "reservation_expired"


@dataclass(frozen=True, slots=True)
class Case:
    """A person with everything bought, the last first, and with the tasks that are not done."""

    person: Person
    purchases: Sequence[Purchase]
    tasks: Sequence[Task]


class Code(enum.Enum):
    """Where a promo code stands, and why there is none."""

    ISSUED = "issued"
    UNDER_WAY = "under_way"
    GIVEN_UP = "given_up"
    NO_ACCOUNT = "no_account"
    NOT_PAID = "not_paid"
    OVER = "over"
    BEING_REVOKED = "being_revoked"
    REVOKED = "revoked"


REISSUABLE = frozenset({Code.UNDER_WAY, Code.GIVEN_UP})
"""Where a code may be ordered again."""

_OF_ACTIVE = {
    PromocodeStatus.ISSUED: Code.ISSUED,
    PromocodeStatus.FAILED: Code.GIVEN_UP,
    PromocodeStatus.PENDING: Code.UNDER_WAY,
    PromocodeStatus.REVOKED: Code.REVOKED,
}


def code_of(subscription: Subscription) -> Code:
    """Where the promo code of a subscription stands."""
    status = subscription.promocode_status
    if subscription.activated_at is None:
        return Code.NOT_PAID
    if subscription.status is Status.CANCELED and status not in (PromocodeStatus.NONE, PromocodeStatus.REVOKED):
        return Code.BEING_REVOKED
    if subscription.status is not Status.ACTIVATED and subscription.promocode is None:
        return Code.OVER
    if subscription.yandex_uid is None:
        return Code.NO_ACCOUNT
    return _OF_ACTIVE.get(status, Code.GIVEN_UP)


def masked(promocode: str | None) -> str | None:
    """The last characters of a promo code, by which a person who has it can be understood; never the whole."""
    return None if promocode is None else "…" + promocode[max(_SHOWN, len(promocode) - _SHOWN) :]


class NobodyFound(errors.NotFound):
    """Nobody here goes by this."""


class SubscriptionNotActivated(errors.Conflict):
    """This subscription is not paid yet: the bank cancels it, or time does."""
