"""What travels through the broker, and what the broker looks like to the rest of the queue."""

import datetime
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import marshmallow as ma
import orjson

from kit import fields, strict_json, trace
from kit.stq import ledger, tasks

MAX_BYTES = 64 * 1024


class NotPublished(Exception):
    """A message that was not confirmed: `reason` is unroutable, refused, timeout (perhaps sent) or disconnected."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Delivery(Protocol):
    """A message that is ours until it is settled; settling never raises."""

    queue: str
    body: bytes

    async def ack(self) -> None: ...
    async def reject(self, *, requeue: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a worker wants to hear, and whom to tell."""

    queues: Sequence[str]
    dead_letters: str
    prefetch: int
    on_bell: Callable[[str], None]
    on_task: Callable[[Delivery], Awaitable[None]]


class Carrier(Protocol):
    """The broker as the queue, relay and worker see it."""

    @property
    def is_connected(self) -> bool: ...
    def ring(self, queue: str) -> None: ...
    async def publish(self, queue: str, body: bytes, *, message_id: str) -> None: ...
    async def subscribe(self, subscription: Subscription) -> None: ...
    async def unsubscribe(self) -> None: ...


class _TaskId(ma.fields.String):
    def __init__(self) -> None:
        super().__init__(required=True, validate=ma.validate.Length(min=1, max=256))


class _Message(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE

    message_id = _TaskId()
    task_id = _TaskId()
    queue = ma.fields.String(required=True, validate=ma.validate.Length(min=1, max=128))
    kwargs = ma.fields.Dict(keys=ma.fields.String(), required=True)
    eta = fields.Moment(allow_none=True)
    traceparent = ma.fields.Raw(allow_none=True)


_MESSAGE = _Message()


def parse(body: bytes) -> ledger.Arrived:
    """The task that a message names; ValueError (which quotes nothing of it) when it is not one."""
    if len(body) > MAX_BYTES:
        raise ValueError("too large")
    try:
        found: dict[str, Any] = _MESSAGE.load(strict_json.loads(body))
    except ma.ValidationError as invalid:
        raise ValueError(f"invalid {', '.join(sorted(map(str, invalid.messages_dict)))}") from None
    parent = found.get("traceparent")
    parsed = trace.parse(parent) if isinstance(parent, str) else None
    return ledger.Arrived(
        queue=found["queue"],
        task_id=found["task_id"],
        kwargs=dump(found["kwargs"]),
        eta=_stored(found.get("eta")),
        traceparent=parsed.to_wire() if parsed else None,
    )


def _stored(eta: datetime.datetime | None) -> datetime.datetime | None:
    # PostgreSQL would take the year 1 too, but its session's time zone might not.
    return None if eta is None or eta.year < 1970 else eta


def message(queue: str, task_id: str, kwargs: Mapping[str, Any], traceparent: str | None) -> dict[str, Any]:
    """The message of a task for another service; its `eta` is added by the database, whose clock it is."""
    return {
        "message_id": uuid.uuid4().hex,
        "task_id": task_id,
        "queue": queue,
        "kwargs": dict(kwargs),
        "traceparent": traceparent,
    }


def dump(value: Mapping[str, Any]) -> str:
    """JSON text; datetimes and UUIDs become strings, whatever else is not JSON is a TypeError."""
    return orjson.dumps(value).decode()


def check(name: str, task_id: str) -> None:
    """ValueError for a name or id that no ledger takes, so that a mistake shows at its author's."""
    tasks.check_name(name)
    if not 1 <= len(task_id) <= 256 or "\0" in task_id:
        raise ValueError("a task_id has 1 to 256 characters")
