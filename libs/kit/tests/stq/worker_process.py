"""A worker as a process of its own, to be killed and paused: `worker_process.py DSN SERVICE HEARTBEAT_S`.

Its one task says `begun`, waits on its first attempt for a line on stdin, and then finishes in a transaction of its
own, saying how that went.
"""

import asyncio
import sys
from typing import Any

import marshmallow as ma

from kit import pg, stq


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(dsn: str, service: str, heartbeat_s: float) -> None:
    db = await pg.Database.open(dsn, name="worker")

    @stq.task(f"{service}.word.say", kwargs=ma.Schema(), time_limit_s=60, backoff_s=(0.01, 0.01))
    async def say(ctx: Any, claim: stq.Claim) -> None:
        tell(f"begun {claim.attempt}")
        if claim.attempt == 1:
            await asyncio.to_thread(sys.stdin.readline)
        try:
            async with db.transaction() as tx:
                await tx.run("INSERT INTO said (attempt) VALUES (%(attempt)s)", attempt=claim.attempt)
                await claim.finish(tx)
        except stq.LeaseLost:
            tell("lost")
            raise
        tell("finished")

    queue = stq.Queue(service, db, stq.MemoryBroker())
    worker = stq.Worker(queue, [say], [], None, pace=stq.Pace(heartbeat_s=heartbeat_s))
    await worker.start()
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
