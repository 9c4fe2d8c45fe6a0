"""Servers that die: the whole broker, and the database under messages that are on their way."""

import asyncio
from typing import Any

import aio_pika
import orjson

from kit import metrics, migrate, stq
from testkit.waiting import until


async def test_runs_without_the_broker_and_drains_after_it(
    dsn: str, own_rabbitmq: Any, open_broker: Any, bench_at: Any
) -> None:
    """Enqueued while the broker is dead: found by the sweeper; after its return bells and messages work as before."""
    broker = await open_broker(own_rabbitmq.url)
    async with bench_at(dsn, broker) as bench:
        ran: list[str] = []

        async def body(ctx: Any, claim: stq.Claim) -> None:
            ran.append(claim.task_id)

        await bench.start(bench.task(body))
        await bench.enqueue("before")
        await until(lambda: ran == ["before"])
        await until(lambda: is_consumed(own_rabbitmq.url, bench.name))
        # RabbitMQ 3.10 writes the name of a new quorum queue to disk half a second late; killed before that, the queue
        # comes back without a leader for ever. Not what is tested here.
        await asyncio.to_thread(own_rabbitmq.control, "eval", "[dets:sync(Table) || Table <- dets:all()].")
        await asyncio.to_thread(own_rabbitmq.kill)
        await until(lambda: not broker.is_connected)
        for number in range(20):
            await bench.enqueue(f"dark-{number}")
        await until(lambda: len(ran) == 21)
        # Of another service, this very one, so that it comes back to us.
        sender = stq.Queue("sender", bench.db, broker)
        for number in range(20):
            async with bench.db.transaction() as tx:
                await sender.enqueue(tx, bench.name, task_id=f"relayed-{number}")
        assert await bench.outbox() == 20
        assert metrics.value("stq_broker_connected", link="publish") == 0
        await asyncio.to_thread(own_rabbitmq.start)
        await until(lambda: len(ran) == 41, timeout_s=30)
        assert len(set(ran)) == 41
        assert await bench.outbox() == 0


async def test_holds_messages_until_the_database_is_back(
    own_postgres: Any, rabbitmq_url: str, open_broker: Any, bench_at: Any, outsider: Any
) -> None:
    migrate.apply(own_postgres.dsn, [stq.STREAM], report=lambda _: None)
    broker = await open_broker(rabbitmq_url)
    async with bench_at(own_postgres.dsn, broker) as bench:
        ran: list[str] = []

        async def body(ctx: Any, claim: stq.Claim) -> None:
            ran.append(claim.task_id)

        await bench.start(bench.task(body))
        await bench.enqueue("before")
        await until(lambda: ran == ["before"])
        await until(lambda: has_queue(outsider, bench.name))
        await asyncio.to_thread(own_postgres.kill)
        for number in (1, 2, 2, 3):
            message = {"message_id": "m", "task_id": str(number), "queue": bench.name, "kwargs": {}}
            await outsider.publish(bench.name, orjson.dumps(message))
        # They are taken, yet not acknowledged: nothing is ready, and nothing was thrown away.
        await until(lambda: is_empty(outsider, bench.name))
        await asyncio.to_thread(own_postgres.start)
        await until(lambda: len(ran) == 4, timeout_s=5)
        assert sorted(ran) == ["1", "2", "3", "before"]
        assert await outsider.depth(bench.dead_letters) == 0


async def has_queue(outsider: Any, name: str) -> bool:
    return bool(await outsider.depth(name) >= 0)


async def is_empty(outsider: Any, name: str) -> bool:
    return bool(await outsider.depth(name) == 0)


async def test_starts_before_its_servers(dsn: str, own_rabbitmq: Any, bench_at: Any) -> None:
    """A worker that starts while the broker is away works, and consumes as soon as it is there."""
    await asyncio.to_thread(own_rabbitmq.kill)
    broker = stq.Broker(own_rabbitmq.url, "test")
    await broker.start()
    ran: list[str] = []

    async def body(ctx: Any, claim: stq.Claim) -> None:
        ran.append(claim.task_id)

    try:
        async with bench_at(dsn, broker) as bench:
            await bench.start(bench.task(body))
            await bench.enqueue("1")
            await until(lambda: ran == ["1"])
            await asyncio.to_thread(own_rabbitmq.start)
            await until(lambda: broker.is_connected, timeout_s=10)
            await until(lambda: is_consumed(own_rabbitmq.url, bench.name), timeout_s=10)
    finally:
        await broker.close()


async def is_consumed(url: str, name: str) -> bool:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        try:
            queue = await channel.declare_queue(name, passive=True)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        return bool(queue.declaration_result.consumer_count)


async def test_closes_while_the_broker_is_away() -> None:
    broker = stq.Broker("amqp://127.0.0.1:1/", "test")
    await broker.start()
    broker.ring("a.b")
    async with asyncio.timeout(5):
        await broker.close()


async def test_lets_go_of_its_work_when_the_database_is_away_for_longer_than_a_lease(
    own_postgres: Any, bench_at: Any
) -> None:
    """By then somebody else may hold the task; when the database is back, it is begun anew."""
    migrate.apply(own_postgres.dsn, [stq.STREAM], report=lambda _: None)
    async with bench_at(own_postgres.dsn, stq.MemoryBroker()) as bench:
        events: list[str] = []

        async def body(ctx: Any, claim: stq.Claim) -> None:
            events.append(f"begun {claim.attempt}")
            if claim.attempt > 1:
                return
            try:
                await asyncio.Event().wait()
            finally:
                events.append("cancelled")

        await bench.start(bench.task(body))
        await bench.enqueue("1")
        await until(lambda: events == ["begun 1"])
        await asyncio.to_thread(own_postgres.kill)
        await until(lambda: events == ["begun 1", "cancelled"])
        await asyncio.to_thread(own_postgres.start)
        await until(lambda: events == ["begun 1", "cancelled", "begun 2"])
        await until(lambda: bench.is_done("1"))


async def test_writes_what_ended_while_the_database_was_away(own_postgres: Any, bench_at: Any) -> None:
    migrate.apply(own_postgres.dsn, [stq.STREAM], report=lambda _: None)
    async with bench_at(own_postgres.dsn, stq.MemoryBroker()) as bench:
        began, may_end = asyncio.Event(), asyncio.Event()
        ended: list[int] = []

        async def body(ctx: Any, claim: stq.Claim) -> None:
            began.set()
            await may_end.wait()
            ended.append(claim.attempt)

        await bench.start(bench.task(body), pace=stq.Pace())
        await bench.enqueue("1")
        await began.wait()
        await asyncio.to_thread(own_postgres.kill)
        may_end.set()
        await until(lambda: ended)
        await asyncio.to_thread(own_postgres.start)
        await until(lambda: bench.is_done("1"))
        assert ended == [1]
