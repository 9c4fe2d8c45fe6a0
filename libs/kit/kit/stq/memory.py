"""A broker that is a few lists, for tests of everything but the broker."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from kit.stq import wire


@dataclass(slots=True)
class MemoryDelivery:
    """A message handed over by a test, and what became of it: None, `ack`, `reject` or `requeue`."""

    queue: str
    body: bytes
    settled: str | None = None

    async def ack(self) -> None:
        """Takes it off the queue."""
        self.settled = "ack"

    async def reject(self, *, requeue: bool) -> None:
        """Gives it back, or to the dead letters."""
        self.settled = "requeue" if requeue else "reject"


@dataclass(slots=True)
class MemoryBroker:
    """Keeps the names of the queues that were rung in `bells` and the published messages in `published`."""

    bells: list[str] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    is_connected: bool = True
    subscription: wire.Subscription | None = None

    async def start(self) -> None:
        """Connects."""
        self.is_connected = True

    async def close(self) -> None:
        """Disconnects."""
        self.is_connected = False

    def ring(self, queue: str) -> None:
        """Notes the bell, and tells the worker when there is one."""
        self.bells.append(queue)
        if self.subscription is not None and queue in self.subscription.queues:
            self.subscription.on_bell(queue)

    async def publish(self, queue: str, body: bytes, *, message_id: str) -> None:
        """Notes the message."""
        if not self.is_connected:
            raise wire.NotPublished("disconnected")
        self.published.append(orjson.loads(body))

    async def subscribe(self, subscription: wire.Subscription) -> None:
        """Notes who wants to hear."""
        self.subscription = subscription

    async def unsubscribe(self) -> None:
        """Forgets it."""
        self.subscription = None

    async def deliver(self, queue: str, body: bytes) -> MemoryDelivery:
        """Hands a message to the worker, as an outsider's publish would."""
        delivery = MemoryDelivery(queue, body)
        if self.subscription is None:
            raise RuntimeError("nobody is subscribed")
        await self.subscription.on_task(delivery)
        return delivery
