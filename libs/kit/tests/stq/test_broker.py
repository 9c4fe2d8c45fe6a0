"""RabbitMQ itself: bells, messages of others, dead letters, the relay."""

from typing import Any

import aio_pika
import orjson
import pytest

from kit import failpoints, metrics, pg, stq
from kit.stq import outbox, wire
from testkit.waiting import until

# Nothing but bells finds a task.
DEAF = stq.Pace(sweep_s=3600, lease_s=60)


class Heard:
    """A task body that keeps what it was given."""

    def __init__(self) -> None:
        self.words: list[Any] = []

    async def __call__(self, ctx: Any, claim: stq.Claim) -> None:
        self.words.append(claim.kwargs.get("word"))


def message(queue: str, task_id: str = "1", **fields: Any) -> bytes:
    return orjson.dumps({"message_id": "m", "task_id": task_id, "queue": queue, "kwargs": {"word": task_id}, **fields})


async def is_consumed(outsider: Any, name: str) -> bool:
    async with outsider.connection.channel() as channel:
        try:
            queue = await channel.declare_queue(name, passive=True)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        return bool(queue.declaration_result.consumer_count)


async def test_wakes_another_process_by_bell(live: Any, outsider: Any) -> None:
    heard = Heard()
    await live.start(live.task(heard), pace=DEAF)
    await until(lambda: is_consumed(outsider, live.name))
    await live.enqueue("1", word="a")
    await until(lambda: heard.words == ["a"])
    await live.enqueue("2", word="b")
    await until(lambda: heard.words == ["a", "b"])


async def test_declares_queues_as_agreed(live: Any, outsider: Any) -> None:
    await live.start(live.task(Heard()))
    await until(lambda: is_consumed(outsider, live.name))
    async with outsider.connection.channel() as channel:
        await channel.declare_queue(
            live.name,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": 5,
                "x-max-length": 1_000_000,
                "x-overflow": "reject-publish",
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": live.dead_letters,
                "x-dead-letter-strategy": "at-least-once",
            },
        )


async def test_takes_message_of_another_service(live: Any, outsider: Any) -> None:
    heard = Heard()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await live.start(live.task(heard), pace=DEAF)
    await until(lambda: is_consumed(outsider, live.name))
    await outsider.publish(live.name, message(live.name, traceparent=trace, unknown={"a": 1}))
    await until(lambda: live.is_done("1") if heard.words else False)
    assert (await live.row("1"))["traceparent"] == trace
    assert await outsider.depth(live.name) == 0


async def test_runs_repeated_message_once(live: Any, outsider: Any) -> None:
    heard = Heard()
    await live.start(live.task(heard), pace=DEAF)
    await until(lambda: is_consumed(outsider, live.name))
    known = metrics.value("stq_arrived_total", outcome="known")
    for task_id in ("1", "1", "2", "1"):
        await outsider.publish(live.name, message(live.name, task_id))
    await until(lambda: metrics.value("stq_arrived_total", outcome="known") == known + 2)
    await until(lambda: len(heard.words) == 2)
    assert sorted(heard.words) == ["1", "2"]


async def test_waits_for_the_eta_of_a_message(live: Any, outsider: Any) -> None:
    await live.start(live.task(Heard()), pace=DEAF)
    await until(lambda: is_consumed(outsider, live.name))
    await outsider.publish(live.name, message(live.name, "late", eta="2999-01-01T00:00:00Z"))
    await outsider.publish(live.name, message(live.name, "early", eta="1999-01-01T00:00:00+03:00"))

    async def both() -> bool:
        return bool(await live.states() == {"waiting": 1, "done": 1})

    await until(both)
    assert (await live.row("late"))["due_at"].year == 2999
    row = await live.row("early")
    assert row["due_at"] == row["created_at"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"task_id": "1"}',
        b'{"message_id": "m", "task_id": 1, "queue": "QUEUE", "kwargs": {}}',
        b'{"message_id": "m", "task_id": "", "queue": "QUEUE", "kwargs": {}}',
        b'{"message_id": "m", "task_id": "1", "queue": "QUEUE", "kwargs": []}',
        b'{"message_id": "m", "task_id": "1", "queue": "QUEUE", "kwargs": {"a": "\\u0000"}}',
        b'{"message_id": "m", "task_id": "1", "queue": "QUEUE", "kwargs": {"a": NaN}}',
        b'{"message_id": "m", "task_id": "1", "queue": "QUEUE", "kwargs": {}, "eta": "tomorrow"}',
        b'{"message_id": "m", "task_id": "1", "queue": "other.word.say", "kwargs": {}}',
        b'{"message_id": "m", "task_id": "1", "queue": "QUEUE", "kwargs": {"a": "' + b"x" * 70_000 + b'"}}',
    ],
    ids=lambda body: body[:40].decode("latin-1") + str(len(body)),
)
async def test_refuses_what_is_no_task(bench: Any, body: bytes) -> None:
    await bench.start(bench.task(Heard()))
    delivery = await bench.broker.deliver(bench.name, body.replace(b"QUEUE", bench.name.encode()))
    assert delivery.settled == "reject"
    assert await bench.states() == {}


async def test_sends_what_is_no_task_to_the_dead_letters(live: Any, outsider: Any) -> None:
    heard = Heard()
    await live.start(live.task(heard), pace=DEAF)
    await until(lambda: is_consumed(outsider, live.name))
    await outsider.publish(live.name, b"not a task")
    await outsider.publish(live.name, message(live.name))
    await until(lambda: outsider.depth(live.dead_letters))
    assert (await outsider.take(live.dead_letters)).body == b"not a task"
    await until(lambda: heard.words == ["1"])


async def test_gives_poison_up_after_its_tries_and_the_rest_flows(live: Any, outsider: Any) -> None:
    heard = Heard()
    await live.db.run("ALTER TABLE stq.tasks ADD CONSTRAINT no_poison CHECK (task_id <> 'poison')")
    try:
        await live.start(live.task(heard), pace=DEAF)
        await until(lambda: is_consumed(outsider, live.name))
        for task_id in ("poison", "1", "2"):
            await outsider.publish(live.name, message(live.name, task_id))
        await until(lambda: sorted(heard.words) == ["1", "2"])
        await until(lambda: outsider.depth(live.dead_letters), timeout_s=10)
    finally:
        await live.db.run("ALTER TABLE stq.tasks DROP CONSTRAINT no_poison")
    letter = await outsider.take(live.dead_letters)
    assert b"poison" in letter.body
    assert letter.headers["x-death"][0]["reason"] == "delivery_limit"


async def test_consumes_again_after_the_queue_was_deleted(live: Any, outsider: Any) -> None:
    heard = Heard()
    await live.start(live.task(heard), pace=DEAF)
    await until(lambda: is_consumed(outsider, live.name))
    await outsider.channel.queue_delete(live.name)
    await until(lambda: is_consumed(outsider, live.name))
    await live.enqueue("1", word="a")
    await until(lambda: heard.words == ["a"])


async def test_relays_to_another_service(live: Any, outsider: Any) -> None:
    queue = f"{live.service}x.word.hear"
    await outsider.channel.declare_queue(queue, durable=True)
    await live.start(live.task(Heard()))
    await live.enqueue("1", name=queue, word="hello")
    await until(lambda: outsider.depth(queue))
    letter = await outsider.take(queue)
    assert letter.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    found = wire.parse(letter.body)
    assert (found.queue, found.task_id, found.kwargs) == (queue, "1", '{"word":"hello"}')

    async def is_forgotten() -> bool:
        return bool(await live.outbox() == 0)

    await until(is_forgotten)


async def test_keeps_what_has_no_queue_yet(live: Any, outsider: Any) -> None:
    queue = f"{live.service}x.word.hear"
    await live.enqueue("1", name=queue)
    assert await stq.relay_due(live.db, live.broker) == 0
    assert await live.outbox() == 1
    assert metrics.value("stq_published_total", task=queue, outcome="unroutable") == 1
    wait = "SELECT extract(epoch FROM taken_until - now())::float8 FROM stq.outbox"
    assert await live.db.one(pg.value, wait) <= outbox.RETRY_S
    await outsider.channel.declare_queue(queue, durable=True)
    await live.db.run("UPDATE stq.outbox SET taken_until = now()")
    assert await stq.relay_due(live.db, live.broker) == 1


async def test_publishes_for_the_living_past_the_dead(
    live: Any, outsider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH", 3)
    queue = f"{live.service}x.word.hear"
    await outsider.channel.declare_queue(queue, durable=True)
    for number in range(5):
        await live.enqueue(str(number), name=f"{live.service}y.word.hear")
    await live.enqueue("1", name=queue)
    relay = outbox.Relay(live.db, live.broker)

    async def passed() -> bool:
        await relay.step()
        return bool(await outsider.depth(queue) == 1)

    await until(passed)
    assert await live.outbox() == 5


class KilledHere(Exception):
    """Stands for the end of the process."""


async def test_delivers_again_after_a_crash_and_the_receiver_knows_it(live: Any, outsider: Any) -> None:
    """What is published and not yet deleted is published again; one task comes of it."""
    heard = Heard()
    await live.start(live.task(heard), pace=stq.Pace(sweep_s=3600, relay_s=3600))
    await until(lambda: is_consumed(outsider, live.name))
    sender = stq.Queue("sender", live.db, live.broker)

    def crash(place: str) -> None:
        if place == "stq.relay:after_publish":
            raise KilledHere

    async with live.db.transaction() as tx:
        await sender.enqueue(tx, live.name, task_id="1", kwargs={"word": "a"})
    failpoints.arm(crash)
    try:
        with pytest.raises(KilledHere):
            await stq.relay_due(live.db, live.broker)
    finally:
        failpoints.arm(None)
    await until(lambda: heard.words == ["a"])
    # Taken by the dead until its lease is over, then by the next.
    assert await stq.relay_due(live.db, live.broker) == 0
    await live.db.run("UPDATE stq.outbox SET taken_until = now()")
    known = metrics.value("stq_arrived_total", outcome="known")
    assert await stq.relay_due(live.db, live.broker) == 1
    await until(lambda: metrics.value("stq_arrived_total", outcome="known") == known + 1)
    assert heard.words == ["a"]
    assert await live.db.one(pg.value, "SELECT count(*) FROM stq.tasks") == 1


async def test_says_why_it_was_not_published(live: Any, outsider: Any) -> None:
    with pytest.raises(wire.NotPublished, match="unroutable"):
        await live.broker.publish(f"{live.service}.nobody.listens", b"{}", message_id="m")
    full = f"{live.service}.full.queue"
    await outsider.channel.declare_queue(full, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    with pytest.raises(wire.NotPublished, match="refused"):
        await live.broker.publish(full, b"{}", message_id="m")
    await live.broker.close()
    with pytest.raises(wire.NotPublished, match="disconnected"):
        await live.broker.publish(full, b"{}", message_id="m")


async def test_passes_every_failpoint(live: Any, outsider: Any) -> None:
    heard = Heard()
    passed: set[str] = set()
    await live.start(live.task(heard))
    await until(lambda: is_consumed(outsider, live.name))
    failpoints.arm(passed.add)
    try:
        await live.enqueue("1")
        sender = stq.Queue("sender", live.db, live.broker)
        async with live.db.transaction() as tx:
            await sender.enqueue(tx, live.name, task_id="2")
        await until(lambda: len(heard.words) == 2)
        await until(lambda: live.is_done("1"))
        await until(lambda: live.is_done("2"))
    finally:
        failpoints.arm(None)
    assert passed >= {
        "stq.bell:before_publish",
        "stq.bell:after_publish",
        "stq.relay:before_publish",
        "stq.relay:after_publish",
        "kit.stq.ledger.insert_arrived:before_commit",
        "kit.stq.ledger.insert_arrived:after_commit",
        "stq.ingest:before_ack",
        "stq.claim:after_claim",
        "kit.stq.ledger.finish:before_commit",
        "kit.stq.ledger.finish:after_commit",
    }


async def test_counts_bells_that_nobody_can_hear() -> None:
    before = metrics.value("stq_bells_lost_total")
    stq.Broker("amqp://127.0.0.1:1/", "test").ring("a.b")
    assert metrics.value("stq_bells_lost_total") == before + 1
