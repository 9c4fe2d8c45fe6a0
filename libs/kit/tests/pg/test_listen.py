"""Notifications, and knowing when they cannot arrive."""

import asyncio
import time
from typing import Any

import pytest

from kit import pg
from testkit import waiting

until = waiting.until


async def test_hears_its_channels_only(db: pg.Database, dsn: str) -> None:
    heard: list[tuple[str, str]] = []
    channels = {name: lambda payload, name=name: heard.append((name, payload)) for name in ("one", 'T"wo')}
    listener = pg.Listener(dsn, "ears", channels)
    await listener.start()
    await until(lambda: listener.is_connected)
    await db.run("""SELECT pg_notify('one', 'a'), pg_notify('T"wo', 'б'), pg_notify('three', 'c')""")
    await until(lambda: len(heard) == 2)
    assert heard == [("one", "a"), ('T"wo', "б")]
    await listener.close()
    assert not listener.is_connected


async def test_tells_each_time_that_it_listens_again(db: pg.Database, dsn: str, terminate: Any) -> None:
    told: list[str] = []

    async def connected() -> None:
        told.append("on")

    listener = pg.Listener(dsn, "ears", {"c": told.append}, connected, lambda: told.append("off"))
    await listener.start()
    for turn in range(1, 4):
        await until(lambda: listener.is_connected)
        await db.run("SELECT pg_notify('c', 'x')")
        await until(lambda: told.count("x") == turn)  # noqa: B023
        assert await terminate("ears:listen") == 1
        await until(lambda: told.count("off") == turn)  # noqa: B023
    await until(lambda: told.count("on") == 4)
    assert told == ["on", "x", "off"] * 3 + ["on"]
    await listener.close()
    assert told[-1] == "on"


async def test_goes_on_after_a_callback_that_raises(db: pg.Database, dsn: str) -> None:
    heard: list[str] = []

    def fail_first(payload: str) -> None:
        heard.append(payload)
        if len(heard) == 1:
            raise KeyError

    def fail() -> None:
        raise KeyError

    listener = pg.Listener(dsn, "ears", {"c": fail_first}, on_connect=fail)
    await listener.start()
    await until(lambda: listener.is_connected)
    await db.run("SELECT pg_notify('c', 'a')")
    await db.run("SELECT pg_notify('c', 'b')")
    await until(lambda: heard == ["a", "b"])
    await listener.close()


async def test_notices_a_connection_that_died_silently(db: pg.Database, proxy: Any) -> None:
    told: list[str] = []
    listener = pg.Listener(proxy.dsn, "ears", {"c": told.append}, on_lost=lambda: told.append("off"), ping_s=0.05)
    await listener.start()
    await until(lambda: listener.is_connected)
    proxy.is_frozen = True
    await until(lambda: told == ["off"], timeout_s=4)
    assert not listener.is_connected
    proxy.is_frozen = False
    await until(lambda: listener.is_connected, timeout_s=5)
    await listener.close()


@pytest.mark.parametrize("state", ["never started", "refused", "frozen", "listening"])
async def test_closes_whatever_it_is_doing(proxy: Any, state: str) -> None:
    listener = pg.Listener(proxy.dsn, "ears", {"c": print})
    proxy.is_refusing = state == "refused"
    if state != "never started":
        await listener.start()
    if state in ("frozen", "listening"):
        await until(lambda: listener.is_connected)
    proxy.is_frozen = state == "frozen"
    if state == "refused":
        await until(lambda: proxy.connections > 1)
    began = time.monotonic()
    await listener.close()
    await listener.close()
    assert time.monotonic() - began < 1
    assert len([task for task in asyncio.all_tasks() if "pg listen" in task.get_name()]) == 0
