"""Tasks for other services: the outbox's SQL, and the relay that publishes its rows."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from kit import failpoints, logs, pg
from kit.stq import measures, wire

BATCH = 100
TAKEN_S = 15.0
RETRY_S = 5.0

# The eta is said in the sender's database's time, the only clock that knows when the row was written.
_INSERT = """
INSERT INTO stq.outbox (queue, message)
VALUES (%(queue)s, %(message)s::jsonb || CASE WHEN %(delay_s)s > 0
    THEN jsonb_build_object('eta', now() + make_interval(secs => %(delay_s)s)) ELSE '{}'::jsonb END)
"""


async def insert(tx: pg.Executor, *, queue: str, message: str, delay_s: float) -> None:
    """Adds a message (JSON text) for another service's queue."""
    await tx.run(_INSERT, queue=queue, message=message, delay_s=delay_s)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that this relay may publish until its lease is over; `message` is JSON text."""

    id: int
    queue: str
    message: str


_TAKE = """
WITH picked AS MATERIALIZED (
    SELECT id FROM stq.outbox WHERE taken_until < now() ORDER BY taken_until, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE stq.outbox SET taken_until = now() + make_interval(secs => %(taken_s)s)
WHERE id = ANY (ARRAY(SELECT id FROM picked))
RETURNING id, queue, message::text AS message
"""


async def take(db: pg.Executor, *, limit: int, taken_s: float) -> list[Row]:
    """Takes up to `limit` rows for `taken_s` seconds, fresh ones before those that failed before."""
    rows = await db.all(Row, _TAKE, limit=limit, taken_s=taken_s)
    rows.sort(key=lambda row: row.id)
    return rows


_DELETE = "DELETE FROM stq.outbox WHERE id = ANY (%(ids)s::bigint[])"


async def delete(db: pg.Executor, ids: Sequence[int]) -> None:
    """Forgets rows that are published."""
    await db.run(_DELETE, ids=list(ids))


_POSTPONE = """
UPDATE stq.outbox SET taken_until = now() + make_interval(secs => %(delay_s)s) WHERE id = ANY (%(ids)s::bigint[])
"""


async def postpone(db: pg.Executor, ids: Sequence[int], *, delay_s: float) -> None:
    """Lets go of rows that could not be published, to be tried again after `delay_s`."""
    await db.run(_POSTPONE, ids=list(ids), delay_s=delay_s)


class Relay:
    """Publishes the outbox; several may run at once. A row may be published twice, and its receiver knows it."""

    def __init__(self, db: pg.Database, carrier: wire.Carrier) -> None:
        self._db = db
        self._carrier = carrier
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Says that there is something in the outbox."""
        self._woken.set()

    async def wait(self, timeout_s: float) -> None:
        """Until woken, or for `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    async def step(self) -> int:
        """Publishes what is there, batch by batch; how many rows left the outbox."""
        total = 0
        while self._carrier.is_connected:
            rows = await take(self._db, limit=BATCH, taken_s=TAKEN_S)
            sent = await self._publish_all(rows)
            total += sent
            if len(rows) < BATCH or sent == 0:
                break
        return total

    async def _publish_all(self, rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        failpoints.reach("stq.relay", "before_publish")
        results = await asyncio.gather(*(self._publish(row) for row in rows))
        failpoints.reach("stq.relay", "after_publish")
        sent = [row.id for row, reason in zip(rows, results, strict=True) if reason == "ok"]
        # After a timeout the row keeps its lease: the message may be on its way.
        failed = [row.id for row, reason in zip(rows, results, strict=True) if reason not in ("ok", "timeout")]
        if sent:
            await delete(self._db, sent)
        if failed:
            await postpone(self._db, failed, delay_s=random.uniform(0.2, RETRY_S))  # noqa: S311
        return len(sent)

    async def _publish(self, row: Row) -> str:
        message_id = str(orjson.loads(row.message)["message_id"])
        reason = "ok"
        try:
            await self._carrier.publish(row.queue, row.message.encode(), message_id=message_id)
        except wire.NotPublished as failure:
            reason = failure.reason
            logs.warning("outbox_not_published", task=row.queue, reason=reason)
        measures.published.labels(row.queue, reason).inc()
        return reason


async def relay_due(db: pg.Database, carrier: wire.Carrier) -> int:
    """Publishes what is in the outbox now, in place; for tests that have no worker."""
    return await Relay(db, carrier).step()
