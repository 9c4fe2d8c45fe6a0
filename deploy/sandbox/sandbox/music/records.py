"""What the world remembers of music; plain records of the state file."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Driver:
    """A demo driver and the memory of his taximeter, which outlives its restarts.

    `order_id` is the ride whose music it plays, `was_open` whether music has ever served it, `is_over` whether it was
    told to stop; `handled` has every command of its rides, oldest first.
    """

    session: str
    park_id: str
    driver_profile_id: str
    application_version: str
    order_id: str | None = None
    player_ids: list[str] = field(default_factory=list)
    applied_seq: int = 0
    was_open: bool = False
    is_over: bool = False
    handled: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class PlainOrder:
    """A ride without a promo code; `events` is how many of them there were."""

    order_id: str
    yandex_uid: str
    driver_profile_id: str
    passenger: dict[str, Any]
    status: str = "assigned"
    events: int = 0


@dataclass(slots=True)
class Event:
    """What processing tells music of an order; `left` is how often it is still to be told, `answer` the first one."""

    order_id: str
    event_seq: int
    verb: str
    body: dict[str, Any]
    due_at: str
    waits_for_next: bool
    left: int
    answer: dict[str, Any] | None = None


@dataclass(slots=True)
class Grant:
    """A temporary token of the music backend; without `token` it was revoked before it was ever asked for."""

    grant_id: str
    asked: dict[str, Any]
    token: str | None
    expires_at: str
    is_revoked: bool = False


@dataclass(slots=True)
class Push:
    """A push to a driver; `fate` is what became of it: under way, delivered, lost, offline, late or nobody."""

    push_id: str
    time: str
    asked: dict[str, Any]
    fate: str = "under way"
    delivered: int = 0


KINDS: dict[str, type] = {
    "drivers": Driver,
    "plain_orders": PlainOrder,
    "events": Event,
    "grants": Grant,
    "pushes": Push,
}
