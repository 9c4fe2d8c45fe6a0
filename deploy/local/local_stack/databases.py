"""One database per service on the stack's PostgreSQL."""

import asyncio
import concurrent.futures
from collections.abc import Sequence

from kit import pg


def create(dsn: str, names: Sequence[str]) -> None:
    """Makes those databases that are missing; `dsn` is a superuser's. Blocks."""
    with concurrent.futures.ThreadPoolExecutor(1) as beside:  # the caller may live in a loop
        beside.submit(asyncio.run, _create(dsn, names)).result()


async def _create(dsn: str, names: Sequence[str]) -> None:
    db = await pg.Database.open(dsn, name="local-stack", size=1, acquire_timeout_s=20, statement_timeout_ms=60_000)
    try:
        there = set(await db.all(pg.value, "SELECT datname FROM pg_database"))
        for name in names:
            if name not in there:
                await db.run(f'CREATE DATABASE "{name}"')
    finally:
        await db.close()
