"""A database with the ledger, a broker, and workers that are stopped at the end."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import marshmallow as ma
import pytest
import pytest_asyncio

from kit import pg, stq
from testkit import databases
from testkit.waiting import until

# So that the tests of a lost lease need not wait for the real one.
FAST = stq.Pace(lease_s=1.0, heartbeat_s=0.2, sweep_s=0.1, tick_s=0.1, clean_s=0.2, measure_s=0.1, relay_s=0.1)


class Word(ma.Schema):
    """Kwargs of the tests' tasks."""

    word = ma.fields.String()


Body = Callable[[Any, stq.Claim], Awaitable[None]]


@dataclass
class Bench:
    """One service's ledger and its workers; its name is unique, since the broker is shared."""

    db: pg.Database
    broker: Any
    service: str = field(default_factory=lambda: f"s{secrets.token_hex(4)}")
    workers: list[stq.Worker] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.service}.word.say"

    @property
    def dead_letters(self) -> str:
        return f"{self.service}.dead-letters"

    def queue(self) -> stq.Queue:
        return stq.Queue(self.service, self.db, self.broker)

    def task(self, body: Body, **options: Any) -> stq.Task:
        options.setdefault("backoff_s", (0.02, 0.05))
        return stq.task(options.pop("name", self.name), kwargs=Word(), **options)(body)

    async def start(
        self,
        *tasks: stq.Task,
        schedule: Sequence[stq.Every] = (),
        pace: stq.Pace = FAST,
        queue: stq.Queue | None = None,
        context: Any = None,
    ) -> stq.Worker:
        worker = stq.Worker(queue or self.queue(), tasks, schedule, context, pace=pace)
        await worker.start()
        self.workers.append(worker)
        return worker

    async def enqueue(self, task_id: str, *, name: str | None = None, delay_s: float = 0, **kwargs: Any) -> None:
        async with self.db.transaction() as tx:
            await self.queue().enqueue(tx, name or self.name, task_id=task_id, kwargs=kwargs, delay_s=delay_s)

    async def outbox(self) -> int:
        return await self.db.one(pg.value, "SELECT count(*) FROM stq.outbox")

    async def row(self, task_id: str) -> dict[str, Any]:
        return await self.db.one(dict, "SELECT * FROM stq.tasks WHERE task_id = %(task_id)s", task_id=task_id)

    async def states(self) -> dict[str, int]:
        rows: list[dict[str, Any]] = await self.db.all(dict, "SELECT state, count(*) AS n FROM stq.tasks GROUP BY 1")
        return {row["state"]: row["n"] for row in rows}

    async def is_done(self, task_id: str) -> bool:
        return bool((await self.row(task_id))["state"] == "done")

    async def is_running(self, task_id: str) -> bool:
        return bool((await self.row(task_id))["state"] == "running")

    async def stop_all(self) -> None:
        for worker in self.workers:
            await worker.stop(0)


@contextlib.asynccontextmanager
async def bench_on(dsn: str, broker: Any) -> AsyncIterator[Bench]:
    db = await pg.Database.open(dsn, name="test", size=4)
    bench = Bench(db, broker)
    try:
        yield bench
    finally:
        await bench.stop_all()
        await db.close()


@pytest.fixture(scope="module")
def module_dsn(testkit_databases: Any, postgres_server: Any) -> Iterator[str]:
    """One database for a module's tests, emptied for each: making one costs more than most of them."""
    with databases.Clone(testkit_databases, postgres_server.dsn, [stq.STREAM]) as made:
        yield made


@pytest_asyncio.fixture
async def dsn(module_dsn: str) -> str:
    db = await pg.Database.open(module_dsn, name="test", size=1)
    await db.run("TRUNCATE stq.tasks, stq.outbox")
    await db.close()
    return module_dsn


@pytest_asyncio.fixture
async def bench(dsn: str) -> AsyncIterator[Bench]:
    """With a broker in memory."""
    async with bench_on(dsn, stq.MemoryBroker()) as made:
        yield made


@pytest_asyncio.fixture
async def open_broker() -> AsyncIterator[Callable[[str], Awaitable[stq.Broker]]]:
    opened: list[stq.Broker] = []

    async def open(url: str) -> stq.Broker:
        broker = stq.Broker(url, "test")
        opened.append(broker)
        await broker.start()
        await until(lambda: broker.is_connected)
        return broker

    yield open
    for broker in opened:
        await broker.close()


@pytest_asyncio.fixture
async def live(dsn: str, rabbitmq_url: str, open_broker: Any) -> AsyncIterator[Bench]:
    """With RabbitMQ."""
    async with bench_on(dsn, await open_broker(rabbitmq_url)) as made:
        yield made


@dataclass
class Outsider:
    """A stranger at the broker, who publishes and looks into queues."""

    connection: aio_pika.abc.AbstractConnection
    channel: aio_pika.abc.AbstractChannel

    async def publish(self, queue: str, body: bytes, **properties: Any) -> None:
        message = aio_pika.Message(body, **properties)
        await self.channel.default_exchange.publish(message, queue, mandatory=True, timeout=5)

    async def depth(self, name: str) -> int:
        """Messages that are ready; -1 when there is no such queue."""
        async with self.connection.channel() as channel:
            try:
                queue = await channel.declare_queue(name, passive=True)
            except aio_pika.exceptions.ChannelNotFoundEntity:
                return -1
            return queue.declaration_result.message_count or 0

    async def take(self, name: str) -> aio_pika.abc.AbstractIncomingMessage | None:
        queue = await self.channel.get_queue(name, ensure=False)
        return await queue.get(no_ack=True, fail=False)


@pytest_asyncio.fixture
async def outsider(rabbitmq_url: str) -> AsyncIterator[Outsider]:
    async with await aio_pika.connect(rabbitmq_url) as connection:
        yield Outsider(connection, await connection.channel(on_return_raises=True))


@pytest.fixture
def bench_at() -> Any:
    """`async with bench_at(dsn, broker) as bench:` for tests with servers of their own."""
    return bench_on
