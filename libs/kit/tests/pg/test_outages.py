"""A server of our own that is stopped, killed and started again."""

import asyncio
import time
from typing import Any

import pytest

from kit import pg
from testkit import waiting

until = waiting.until


async def _answers(db: pg.Database) -> bool:
    try:
        await db.ping()
    except pg.Unavailable:
        return False
    return True


@pytest.mark.parametrize("ending", ["stop", "kill"])
async def test_heals_without_a_restart_when_the_server_is_back(own_postgres: Any, ending: str) -> None:
    db = await pg.Database.open(own_postgres.dsn, name="healing", size=8)
    told: list[str] = []
    listener = pg.Listener(
        own_postgres.dsn, "healing", {}, on_connect=lambda: told.append("on"), on_lost=lambda: told.append("off")
    )
    listener._channels = {"c": told.append}
    try:
        await listener.start()
        await asyncio.gather(*(db.one(pg.value, "SELECT 1 FROM pg_sleep(0.02)") for _ in range(16)))
        await until(lambda: listener.is_connected)
        stopping = asyncio.ensure_future(asyncio.to_thread(getattr(own_postgres, ending)))
        outcomes = [await _call(db) for _ in range(20)]
        await stopping
        outcomes += [await _call(db) for _ in range(20)]
        assert set(outcomes) <= {"ok", "unavailable"}
        assert outcomes[-1] == "unavailable"

        await asyncio.to_thread(own_postgres.start)
        began = time.monotonic()
        await until(lambda: _answers(db), timeout_s=3)
        await until(lambda: listener.is_connected, timeout_s=3)
        assert time.monotonic() - began < 3
        assert await asyncio.gather(*(db.one(pg.value, "SELECT 1") for _ in range(32))) == [1] * 32
        assert told == ["on", "off", "on"]
    finally:
        await listener.close()
        await db.close()


async def _call(db: pg.Database) -> str:
    await asyncio.sleep(0.005)
    began = time.monotonic()
    try:
        await db.one(pg.value, "SELECT 1")
    except pg.Unavailable:
        assert time.monotonic() - began < 2.5
        return "unavailable"
    return "ok"


async def test_opens_and_closes_without_a_server() -> None:
    db = await pg.Database.open("postgresql://nobody@127.0.0.1:1/none", name="none")
    with pytest.raises(pg.Unavailable):
        await db.ping()
    with pytest.raises(pg.Unavailable):
        async with db.transaction() as tx:
            await tx.run("SELECT 1")
    await asyncio.wait_for(db.close(), 1)


async def test_does_not_wait_for_a_server_that_accepts_and_is_silent(dsn: str) -> None:
    accepted: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    db = await pg.Database.open(f"postgresql://x@127.0.0.1:{port}/x", name="silent", acquire_timeout_s=0.1)
    began = time.monotonic()
    with pytest.raises(pg.Unavailable):
        await db.ping()
    await db.close()
    assert time.monotonic() - began < 1
    for writer in accepted:
        writer.transport.abort()
    silent.close()


async def test_says_unavailable_when_the_server_takes_no_more_connections(own_postgres: Any) -> None:
    admin = await pg.Database.open(own_postgres.dsn, name="admin", size=1)
    await admin.run("CREATE ROLE guest LOGIN CONNECTION LIMIT 2")
    guest = await pg.Database.open(own_postgres.dsn.replace("app@", "guest@"), name="guest", size=6)
    try:
        assert await guest.one(pg.value, "SELECT current_user::text") == "guest"
        asked = [guest.one(pg.value, "SELECT 1 FROM pg_sleep(0.005)") for _ in range(24)]
        assert await asyncio.gather(*asked) == [1] * 24
    finally:
        await guest.close()
        await admin.close()
