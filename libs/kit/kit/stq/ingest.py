"""Tasks that come by message: first into the ledger, in batches, and only then acknowledged."""

import asyncio
from collections.abc import Callable, Collection, Sequence

from kit import logs, pg
from kit.stq import ledger, loops, measures, wire

BATCH = 100
WAITING = 1000

_Pair = tuple[ledger.Arrived, wire.Delivery]


class Ingest:
    """Takes deliveries; `known` are the names of the tasks, `on_stored` hears the name of each that was stored."""

    def __init__(self, db: pg.Database, known: Collection[str], on_stored: Callable[[str], None]) -> None:
        self._db = db
        self._known = known
        self._on_stored = on_stored
        self._waiting: asyncio.Queue[_Pair] = asyncio.Queue(WAITING)

    async def take(self, delivery: wire.Delivery) -> None:
        """Keeps a delivery until it can be stored; what names no task of ours goes to the dead letters at once."""
        try:
            arrived = wire.parse(delivery.body)
            if arrived.queue not in self._known:
                raise ValueError("names no task of this service")
        except ValueError as malformed:
            await _refuse(delivery, str(malformed))
            return
        await self._waiting.put((arrived, delivery))

    async def run(self) -> None:
        """Stores what comes, for as long as it takes: while the database is away, messages wait unacknowledged."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._store(batch)

    async def _store(self, batch: Sequence[_Pair]) -> None:
        backoff = loops.Backoff()
        while True:
            try:
                new = await ledger.insert_arrived(self._db, [arrived for arrived, _ in batch])
                break
            except pg.StatementFailed as failure:
                await self._part(batch, str(failure.sqlstate))
                return
            except loops.PASSING as failure:
                if backoff.is_fresh:
                    logs.warning("messages_wait", count=len(batch), reason=failure.code)
                await backoff.wait()
            except Exception as failure:
                await self._part(batch, type(failure).__name__)
                return
        measures.arrived.labels("stored").inc(new)
        measures.arrived.labels("known").inc(len(batch) - new)
        for arrived, delivery in batch:
            await delivery.ack()
            self._on_stored(arrived.queue)

    async def _part(self, batch: Sequence[_Pair], reason: str) -> None:
        """Finds the one that the database will not have; the broker counts how often it comes back."""
        if len(batch) > 1:
            for pair in batch:
                await self._store([pair])
            return
        logs.error("message_not_stored", queue=batch[0][1].queue, reason=reason)
        measures.arrived.labels("returned").inc()
        await _give_back(batch[0][1])


async def _give_back(delivery: wire.Delivery) -> None:
    """Gives a message back for another try; after five of them the broker moves it to the dead letters."""
    await asyncio.sleep(0.1)
    await delivery.reject(requeue=True)


async def _refuse(delivery: wire.Delivery, reason: str) -> None:
    logs.error("message_refused", queue=delivery.queue, reason=reason)
    measures.arrived.labels("refused").inc()
    await delivery.reject(requeue=False)
