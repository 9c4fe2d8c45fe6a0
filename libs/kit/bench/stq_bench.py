"""How fast the task queue is: enqueue, execute, latency; with an empty ledger and with a full one.

Each figure is the median of `--rounds`, and the two ledgers take turns, since the speed of a machine drifts. Without
addresses it starts private servers with production's durability (fsync on) and removes them at the end.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma
import uvloop

from kit import logs, migrate, pg, stq
from testkit.waiting import until

NAME = "bench.word.say"
BARS = {"enqueue/s": (3000, True), "execute/s": (2000, True), "latency p99 ms": (20, False)}

_FILL = """
INSERT INTO stq.tasks (queue, task_id, kwargs, due_at, first_due_at)
SELECT CASE n %% 2 WHEN 0 THEN %(name)s ELSE 'bench.word.other' END, 'filler-' || n, '{"word": "filler"}',
       now() + CASE n %% 2 WHEN 0 THEN interval '1 day' ELSE interval '-1 day' END, now()
FROM generate_series(1, %(rows)s) AS n
"""


class Kwargs(ma.Schema):
    """A word, and when it was sent."""

    word = ma.fields.String()
    sent_at = ma.fields.Float()


@dataclass
class Heard:
    """What the worker's task counts: runs, and the seconds from just before the commit to the running task."""

    runs: int = 0
    waits_s: list[float] = field(default_factory=list)


@stq.task(NAME, kwargs=Kwargs(), concurrency=64)
async def say(ctx: Heard, claim: stq.Claim) -> None:
    """Counts; safe to repeat, since nobody minds."""
    ctx.runs += 1
    if sent_at := claim.kwargs.get("sent_at"):
        ctx.waits_s.append(time.monotonic() - sent_at)


@contextlib.asynccontextmanager
async def opened(args: argparse.Namespace, dsn: str, size: int) -> Any:
    db = await pg.Database.open(dsn, name="bench", size=size)
    broker = stq.Broker(args.rabbitmq, "bench")
    await broker.start()
    await until(lambda: broker.is_connected, timeout_s=30)
    try:
        yield stq.Queue("bench", db, broker)
    finally:
        await broker.close()
        await db.close()


async def enqueue(queue: stq.Queue, count: int, width: int, label: str) -> float:
    """`count` transactions with one task each, `width` at a time; per second."""
    numbers = iter(range(count))

    async def enqueue_some() -> None:
        for number in numbers:
            async with queue.db.transaction() as tx:
                await queue.enqueue(tx, NAME, task_id=f"{label}-{number}", kwargs={"word": "hello"})

    began = time.monotonic()
    await asyncio.gather(*(enqueue_some() for _ in range(width)))
    return count / (time.monotonic() - began)


async def write_plainly(queue: stq.Queue, count: int, width: int) -> float:
    """The same transactions around an INSERT into a bare table: what the machine gives at this moment; per second."""
    await queue.db.run("DROP TABLE IF EXISTS plain")
    await queue.db.run("CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kwargs jsonb)")
    numbers = iter(range(count))

    async def write_some() -> None:
        for number in numbers:
            async with queue.db.transaction() as tx:
                await tx.run("INSERT INTO plain (kwargs) VALUES (%(kwargs)s)", kwargs={"word": number})

    began = time.monotonic()
    await asyncio.gather(*(write_some() for _ in range(width)))
    return count / (time.monotonic() - began)


async def execute(queue: stq.Queue, count: int) -> float:
    """One worker and `count` waiting tasks; per second, until the last is written as done."""
    heard = Heard()
    worker = stq.Worker(queue, [say], [], heard)
    began = time.monotonic()
    await worker.start()
    await until(lambda: heard.runs >= count, timeout_s=300, period_s=0.005)
    await worker._holding.wait_written(10)
    took_s = time.monotonic() - began
    await worker.stop()
    done = "SELECT count(*) FROM stq.tasks WHERE queue = %(name)s AND state = 'done'"
    assert await queue.db.one(pg.value, done, name=NAME) >= count
    return count / took_s


async def pace_out(args: argparse.Namespace, dsn: str, label: str) -> None:
    async with opened(args, dsn, 4) as queue:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(int(args.rate * args.seconds)):
            await asyncio.sleep(max(0.0, began + number / args.rate - loop.time()))
            async with queue.db.transaction() as tx:
                sent = {"word": "hello", "sent_at": time.monotonic()}
                await queue.enqueue(tx, NAME, task_id=f"{label}-{number}", kwargs=sent)


def _pace_out(args: argparse.Namespace, dsn: str, label: str) -> None:
    logs.setup("bench", "ERROR")
    uvloop.run(pace_out(args, dsn, label))


async def latency(args: argparse.Namespace, queue: stq.Queue, label: str) -> list[float]:
    """Milliseconds from just before the commit in one process to the running task in another."""
    heard = Heard()
    worker = stq.Worker(queue, [say], [], heard)
    await worker.start()
    sender = multiprocessing.get_context("spawn").Process(target=_pace_out, args=(args, queue.db.dsn, label))
    sender.start()
    count = int(args.rate * args.seconds)
    await until(lambda: heard.runs >= count, timeout_s=300, period_s=0.05)
    await asyncio.to_thread(sender.join)
    await worker.stop()
    # The first moments of a process are not what it is like.
    return sorted(wait * 1000 for wait in heard.waits_s[count // 10 :])


async def round_on(args: argparse.Namespace, dsn: str, label: str) -> dict[str, float]:
    found: dict[str, float] = {}
    async with opened(args, dsn, 8) as queue:
        found["plain insert/s"] = await write_plainly(queue, args.count // 2, args.width)
        cpu = time.process_time()
        found["enqueue/s"] = await enqueue(queue, args.count, args.width, label)
        found["enqueue CPU us"] = (time.process_time() - cpu) / args.count * 1e6
        found["enqueue/plain"] = found["enqueue/s"] / found["plain insert/s"]
        cpu = time.process_time()
        found["execute/s"] = await execute(queue, args.count)
        found["execute CPU us"] = (time.process_time() - cpu) / args.count * 1e6
        waits = await latency(args, queue, f"{label}-paced")
        found["latency p50 ms"] = waits[len(waits) // 2]
        found["latency p99 ms"] = waits[int(len(waits) * 0.99)]
    return found


async def prepare(dsn: str, rows: int) -> None:
    migrate.apply(dsn, [stq.STREAM], report=lambda _: None)
    db = await pg.Database.open(dsn, name="fill", size=1, statement_timeout_ms=600_000)
    if rows:
        await db.run(_FILL, name=NAME, rows=rows)
    await db.run("ANALYZE stq.tasks")
    await db.run("CHECKPOINT")
    await db.close()


async def make_databases(dsn: str, names: list[str]) -> list[str]:
    db = await pg.Database.open(dsn, name="bench", size=1, statement_timeout_ms=60_000)
    for name in names:
        await db.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await db.run(f"CREATE DATABASE {name}")
    await db.close()
    return [dsn.rpartition("/")[0] + f"/{name}" for name in names]


@contextlib.contextmanager
def servers(args: argparse.Namespace) -> Iterator[None]:
    if args.dsn and args.rabbitmq:
        yield
        return
    from testkit.servers import machine

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = pathlib.Path(folder)
        place.chmod(0o755)
        for name in ("postgres", "rabbitmq"):
            (place / name).mkdir()
        postgres = machine.Postgres(place / "postgres", settings=("max_wal_size=4GB",))
        rabbitmq = machine.RabbitMQ(place / "rabbitmq")
        try:
            postgres.start()
            rabbitmq.start()
            args.dsn, args.rabbitmq = postgres.dsn, rabbitmq.url
            yield
        finally:
            rabbitmq.kill()
            postgres.kill()


async def measure(args: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    dsns = await make_databases(args.dsn, ["bench_empty", "bench_full"])
    labels = {"empty": dsns[0], f"{args.waiting:,} waiting": dsns[1]}
    for dsn, rows in zip(dsns, (0, args.waiting), strict=True):
        await prepare(dsn, rows)
    found: dict[str, list[dict[str, float]]] = {label: [] for label in labels}
    for number in range(args.rounds):
        for label, dsn in labels.items():
            found[label].append(await round_on(args, dsn, str(number)))
    return found


def show(found: dict[str, list[dict[str, float]]]) -> None:
    labels = list(found)
    print(f"{'':<16}" + "".join(f"{label:>20}" for label in labels) + f"{'ratio':>8}{'bar':>10}")
    for name in found[labels[0]][0]:
        values = [statistics.median(each[name] for each in found[label]) for label in labels]
        pairs = zip(*(found[label] for label in labels), strict=True)
        ratio = statistics.median(full[name] / empty[name] for empty, full in pairs)
        bar = f"{'>=' if BARS[name][1] else '<='} {BARS[name][0]}" if name in BARS else ""
        print(f"{name:<16}" + "".join(f"{value:>20,.2f}" for value in values) + f"{ratio:>8.2f}{bar:>10}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="tasks per round (10,000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (3)")
    parser.add_argument("--width", type=int, default=16, help="transactions at a time when enqueueing (16)")
    parser.add_argument("--rate", type=float, default=200, help="tasks per second when measuring latency (200)")
    parser.add_argument("--seconds", type=float, default=5, help="for how long (5)")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="rows of the full ledger (1,000,000)")
    parser.add_argument("--dsn", help="a superuser's DSN of a server for two databases, instead of a private one")
    parser.add_argument("--rabbitmq", help="an AMQP URL, instead of a private broker")
    args = parser.parse_args()
    logs.setup("bench", "ERROR")
    with servers(args):
        show(uvloop.run(measure(args)))


if __name__ == "__main__":
    main()
