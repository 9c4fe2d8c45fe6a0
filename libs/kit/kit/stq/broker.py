"""RabbitMQ: two connections that are kept up, one to publish and one to consume. The only user of aio-pika."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aio_pika
import aio_pika.abc
import aio_pika.exceptions
import aiormq

from kit import failpoints, logs
from kit.stq import link, measures, wire

PUBLISH_TIMEOUT_S = 5.0
DELIVERY_LIMIT = 5
# Only bells of a service without workers ever pile up; beyond this, publishers are told to wait.
MAX_LENGTH = 1_000_000
BELL_PAUSE_S = 0.002
_BELL = "stq.bell"

_FAILURES = (aiormq.AMQPError, aio_pika.exceptions.MessageProcessError, OSError, RuntimeError, TimeoutError)


class Broker:
    """The broker at `url` (`amqp://user:password@host/vhost`); `name` is how its operators see us."""

    def __init__(self, url: str, name: str) -> None:
        self._publishing = link.Link(url, f"{name} publish", "publish", self._serve_publishing)
        self._consuming = link.Link(url, f"{name} consume", "consume", self._serve_consuming)
        self._confirmed: aio_pika.abc.AbstractChannel | None = None
        self._pending: dict[str, None] = {}
        self._rung = asyncio.Event()
        self._subscription: wire.Subscription | None = None
        self._channels: set[aio_pika.abc.AbstractChannel] = set()
        self._unsettled: set[object] = set()
        self._settled_all = asyncio.Event()
        self._settled_all.set()

    @property
    def is_connected(self) -> bool:
        """True while messages can be published."""
        return self._confirmed is not None

    async def start(self) -> None:
        """Begins to connect, and goes on as long as it takes; never fails because the broker is away."""
        self._publishing.start()

    async def close(self) -> None:
        """Ends both connections, within seconds whatever the broker does."""
        await asyncio.gather(self._consuming.close(), self._publishing.close())

    def ring(self, queue: str) -> None:
        """Tells some worker that `queue` has something; costs the caller nothing, and is lost when we are cut off."""
        if self._confirmed is None:
            measures.bells_lost.inc()
            return
        # A dictionary of names is bounded by the task tables, and bells of one moment are one bell.
        self._pending[queue] = None
        self._rung.set()

    async def publish(self, queue: str, body: bytes, *, message_id: str) -> None:
        """Publishes one message that survives the broker; `wire.NotPublished` unless it was confirmed."""
        channel = self._confirmed
        if channel is None:
            raise wire.NotPublished("disconnected")
        message = aio_pika.Message(
            body,
            message_id=message_id,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        try:
            await channel.default_exchange.publish(message, queue, mandatory=True, timeout=PUBLISH_TIMEOUT_S)
        except _FAILURES as failure:
            raise wire.NotPublished(_reason(failure)) from None

    async def subscribe(self, subscription: wire.Subscription) -> None:
        """Declares the queues and begins to consume them, now and after each reconnection."""
        self._subscription = subscription
        self._consuming.start()

    async def unsubscribe(self) -> None:
        """Takes no more messages, gives what is held a second to be settled, and hands the rest back."""
        with contextlib.suppress(TimeoutError, *_FAILURES):
            async with asyncio.timeout(2):
                for channel in list(self._channels):
                    underlay: Any = await channel.get_underlay_channel()
                    await asyncio.gather(*(underlay.basic_cancel(tag) for tag in list(underlay.consumers)))
                await self._settled_all.wait()
        await self._consuming.close()
        self._subscription = None

    async def _serve_publishing(self, connection: aio_pika.abc.AbstractConnection) -> None:
        confirmed = await connection.channel(publisher_confirms=True, on_return_raises=True)
        plain = await connection.channel(publisher_confirms=False)
        self._pending.clear()
        self._confirmed = confirmed
        try:
            await link.first_of(self._ring_all(plain), connection.closed(), confirmed.closed(), plain.closed())
        finally:
            self._confirmed = None

    async def _ring_all(self, channel: aio_pika.abc.AbstractChannel) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            names, self._pending = self._pending, {}
            failpoints.reach("stq.bell", "before_publish")
            for name in names:
                bell = aio_pika.Message(b"", type=_BELL)
                await channel.default_exchange.publish(bell, name, mandatory=False, timeout=PUBLISH_TIMEOUT_S)
            failpoints.reach("stq.bell", "after_publish")
            # Under load the bells of a moment become one, which leaves the broker to those who need it.
            await asyncio.sleep(BELL_PAUSE_S)

    async def _serve_consuming(self, connection: aio_pika.abc.AbstractConnection) -> None:
        wanted = self._subscription
        if wanted is None:
            return
        self._unsettled.clear()
        self._settled_all.set()
        await self._declare_dead_letters(connection, wanted.dead_letters)
        async with asyncio.TaskGroup() as group:
            consumers = [group.create_task(self._consume(connection, wanted, name)) for name in wanted.queues]
            try:
                await connection.closed()
            finally:
                for consumer in consumers:
                    consumer.cancel()

    async def _declare_dead_letters(self, connection: aio_pika.abc.AbstractConnection, name: str) -> None:
        channel = await connection.channel()
        try:
            await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        finally:
            await channel.close()

    async def _consume(self, connection: aio_pika.abc.AbstractConnection, wanted: wire.Subscription, name: str) -> None:
        """Consumes one queue on a channel of its own, so that trouble with one queue is no trouble of another."""
        while True:
            channel = await connection.channel()
            try:
                await self._consume_on(channel, wanted, name)
            except (aiormq.AMQPError, TimeoutError) as failure:
                measures.consume_failed.labels(name).inc()
                logs.error("queue_not_consumed", queue=name, reason=type(failure).__name__)
            finally:
                self._channels.discard(channel)
                if not channel.is_closed and not connection.is_closed:
                    with contextlib.suppress(*_FAILURES):
                        await channel.close()
            await asyncio.sleep(1.0)

    async def _consume_on(self, channel: aio_pika.abc.AbstractChannel, wanted: wire.Subscription, name: str) -> None:
        cancelled = asyncio.Event()
        underlay: Any = await channel.get_underlay_channel()
        # The server says so when somebody deletes the queue; it is then declared anew.
        underlay.on_consumer_cancel_callbacks.add(lambda _: cancelled.set())
        await channel.set_qos(prefetch_count=wanted.prefetch)
        queue = await channel.declare_queue(name, durable=True, arguments=arguments(wanted.dead_letters), timeout=10)
        self._channels.add(channel)

        async def hear(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            if message.type == _BELL and not message.body:
                wanted.on_bell(name)
                await _settled(message.ack())
                return
            delivery = _Delivery(name, message.body, message, self._note_settled)
            self._unsettled.add(delivery)
            self._settled_all.clear()
            await wanted.on_task(delivery)

        await queue.consume(hear, timeout=10)
        await link.first_of(channel.closed(), cancelled.wait())

    def _note_settled(self, delivery: object) -> None:
        self._unsettled.discard(delivery)
        if not self._unsettled:
            self._settled_all.set()


@dataclass(eq=False, slots=True)
class _Delivery:
    queue: str
    body: bytes
    message: aio_pika.abc.AbstractIncomingMessage
    note_settled: Callable[[object], None]

    async def ack(self) -> None:
        failpoints.reach("stq.ingest", "before_ack")
        self.note_settled(self)
        await _settled(self.message.ack())

    async def reject(self, *, requeue: bool) -> None:
        self.note_settled(self)
        await _settled(self.message.reject(requeue=requeue))


async def _settled(settling: Any) -> None:
    """A channel that is gone has given the message back already; the ledger knows it when it comes again."""
    try:
        await settling
    except _FAILURES:
        measures.settle_failed.inc()


def arguments(dead_letters: str) -> dict[str, Any]:
    """The arguments of a task's queue; every declaration of it must say the same."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-max-length": MAX_LENGTH,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead_letters,
        "x-dead-letter-strategy": "at-least-once",
    }


def _reason(failure: BaseException) -> str:
    if isinstance(failure, aio_pika.exceptions.PublishError):
        return "unroutable"
    if isinstance(failure, aio_pika.exceptions.DeliveryError):
        return "refused"
    return "timeout" if isinstance(failure, TimeoutError) else "disconnected"
