"""The traps of aiopg 1.4.0 and psycopg2, each with what we do instead; a new version of either must pass here."""

import asyncio
import gc
import importlib.metadata
import os
import resource
import select
import socket
import time
import warnings
from collections.abc import AsyncIterator
from typing import Any

import aiopg
import pytest
import pytest_asyncio
import uvloop

from kit import errors, pg
from kit.pg import link, session
from testkit import waiting

until = waiting.until


@pytest_asyncio.fixture
async def heard() -> AsyncIterator[list[Any]]:
    """What reaches the event loop's exception handler."""
    loop = asyncio.get_running_loop()
    said: list[Any] = []
    loop.set_exception_handler(lambda _, context: said.append(context))
    yield said
    loop.set_exception_handler(None)


def test_relies_on_this_aiopg_only() -> None:
    assert importlib.metadata.version("aiopg") == "1.4.0"
    needed = {"_connect", "_poll", "_ready", "_close"}
    assert needed <= set(vars(aiopg.Connection))


async def test_raises_statement_timeouts_as_such(open_database: Any, heard: list[Any]) -> None:
    """B1: neither a CancelledError that a TaskGroup swallows, nor noise; and the connection stays."""
    db = await open_database(size=1, statement_timeout_ms=50)
    pid = await db.one(pg.value, "SELECT pg_backend_pid()")
    with pytest.raises(pg.StatementTimeout):
        await db.one(pg.value, "SELECT pg_sleep(5)")
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(db.run("SELECT pg_sleep(5)"))
    assert isinstance(caught.value.exceptions[0], errors.Timeout)
    with pytest.raises(pg.StatementTimeout):
        async with asyncio.timeout(2), db.transaction() as tx:
            await tx.run("SELECT pg_sleep(5)")
    assert await db.one(pg.value, "SELECT pg_backend_pid()") == pid
    assert heard == []


async def test_serves_the_next_after_a_cancelled_holder(open_database: Any) -> None:
    """B2: with one connection, whose holder is cancelled in a statement, the next one is served at once."""
    db = await open_database(size=1, acquire_timeout_s=5)
    holder = asyncio.ensure_future(db.one(pg.value, "SELECT pg_sleep(5)"))
    await until(lambda: db._pool._held)
    waiter = asyncio.ensure_future(db.one(pg.value, "SELECT 1"))
    await asyncio.sleep(0)
    holder.cancel()
    began = time.monotonic()
    assert await waiter == 1
    assert time.monotonic() - began < 0.5
    assert holder.cancelled()


async def test_closes_when_the_last_connection_comes_back_dead(open_database: Any, terminate: Any) -> None:
    """B3: no hanging shutdown."""
    db = await open_database(name="dying", size=1)
    sleeper = asyncio.ensure_future(db.one(pg.value, "SELECT pg_sleep(1)"))
    await until(lambda: db._pool._held)
    closing = asyncio.ensure_future(db.close())
    await until(lambda: terminate("dying"))
    await asyncio.wait_for(closing, 2)
    with pytest.raises(pg.Unavailable):
        await sleeper


async def test_survives_a_storm_of_terminations(
    open_database: Any, pair: pg.Database, terminate: Any, heard: list[Any]
) -> None:
    """B4, B7: whoever is hit gets a fault of ours, nobody waits for a timeout, the pool ends up whole."""
    db = await open_database(name="stormy", size=5, acquire_timeout_s=3)
    outcomes: list[BaseException | int] = []

    async def work(number: int) -> None:
        for turn in range(12):
            try:
                if number % 2:
                    await db.one(pg.value, "SELECT 1 FROM pg_sleep(0.002)")
                else:
                    async with db.transaction() as tx:
                        await tx.run("INSERT INTO pair VALUES (%(id)s, 'a')", id=number * 100 + turn)
            except Exception as error:
                outcomes.append(error)
            else:
                outcomes.append(number * 100 + turn)

    workers = asyncio.gather(*(work(number) for number in range(20)))
    while not workers.done():
        await terminate("stormy")
        await asyncio.sleep(0.005)
    await workers
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(error) for error in failed} <= {pg.Unavailable, pg.OutcomeUnknown}
    assert len(failed) < len(outcomes)
    written = set(await pair.all(pg.value, "SELECT id FROM pair"))
    succeeded = {outcome for outcome in outcomes if isinstance(outcome, int) and outcome // 100 % 2 == 0}
    unknown = sum(isinstance(error, pg.OutcomeUnknown) for error in failed)
    assert succeeded <= written
    assert len(written - succeeded) <= unknown
    assert await asyncio.gather(*(db.one(pg.value, "SELECT 1") for _ in range(20))) == [1] * 20
    assert heard == []


async def test_ends_abandoned_statements_on_the_server(open_database: Any, pair: pg.Database) -> None:
    """B5: a cancelled transaction gives its locks back and commits nothing."""
    db = await open_database(name="leaver", size=1)
    await pair.run("INSERT INTO pair VALUES (1, 'a')")

    async def change() -> None:
        async with db.transaction() as tx:
            await tx.run("UPDATE pair SET name = 'b'")
            await tx.run("SELECT pg_sleep(1.9)")

    task = asyncio.ensure_future(change())
    await until(lambda: _is_active(pair, "leaver", "%pg_sleep%"))
    task.cancel()
    await asyncio.wait([task])
    began = time.monotonic()
    await until(lambda: _locks_nothing(pair), timeout_s=1.5)
    assert time.monotonic() - began < 1.5
    assert await pair.one(pg.value, "SELECT name FROM pair") == "a"


async def _is_active(db: pg.Database, name: str, like: str) -> bool:
    sql = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %(name)s AND query LIKE %(like)s AND state = 'active'
    """
    count: int = await db.one(pg.value, sql, name=name, like=like)
    return count > 0


async def _locks_nothing(db: pg.Database) -> bool:
    return await db.run("UPDATE pair SET name = name") == 1 if not await _is_active(db, "leaver", "%") else False


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://a,b/x", "host=a,b dbname=x", "host=a port=1,2", "hostaddr=127.0.0.1,127.0.0.2 host=a"],
)
async def test_refuses_several_hosts(dsn: str) -> None:
    """B6."""
    with pytest.raises(ValueError, match="exactly one host"):
        await pg.Database.open(dsn, name="kit")
    with pytest.raises(ValueError, match="exactly one host"):
        pg.Listener(dsn, "kit", {})


async def test_tries_every_address_of_its_host(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """B6: one address per connect, resolved without blocking the loop; the next one when the first is dead."""
    loop = asyncio.get_running_loop()
    port = session.parameters(dsn, application_name="x", settings={})["port"]

    async def found(host: str, *_: object, **__: object) -> list[Any]:
        assert host == "db.example"
        return [(0, 0, 0, "", (address, 0)) for address in ("127.0.0.9", "127.0.0.1")]

    monkeypatch.setattr(loop, "getaddrinfo", found)
    db = await pg.Database.open(dsn.replace("127.0.0.1", "db.example").replace("localhost", "db.example"), name="kit")
    try:
        assert port
        assert await db.one(pg.value, "SELECT 1") == 1
    finally:
        await db.close()


async def test_says_to_every_session_what_it_must_know(open_database: Any) -> None:
    db = await open_database(name="told", statement_timeout_ms=1234)
    names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone", "application_name"]
    names.append("client_connection_check_interval")
    told = await db.all(pg.value, "SELECT current_setting(n) FROM unnest(%(names)s) n", names=names)
    assert told == ["1234ms", "1s", "5s", "UTC", "told", "500ms"]


async def test_skips_connections_that_died_while_idle(open_database: Any, pair: pg.Database, terminate: Any) -> None:
    """B8: even when the loop has not turned since; not one call fails."""
    db = await open_database(name="idle", size=4)
    for _ in range(5):
        await asyncio.gather(*(db.run("INSERT INTO pair SELECT 1 WHERE false") for _ in range(4)))
        await until(lambda: not db._pool._opening)
        idle = list(db._pool._idle)
        await terminate("idle")
        for lying in idle:
            assert select.select([lying.raw], [], [], 2)[0] if not lying.closed else True
        await asyncio.gather(*(db.run("INSERT INTO pair SELECT 1 WHERE false") for _ in range(4)))


async def test_hears_a_good_bye_without_a_turn_of_the_loop(open_database: Any, terminate: Any) -> None:
    db = await open_database(name="quiet", size=1)
    await db.one(pg.value, "SELECT 1")
    (lying,) = db._pool._idle
    assert lying.is_quiet()
    twin = socket.socket(fileno=os.dup(lying.raw.fileno()))
    twin.shutdown(socket.SHUT_RDWR)
    twin.close()
    assert not lying.is_quiet()
    assert await db.run("CREATE TABLE fresh ()") >= -1


async def test_leaves_no_warnings_behind(open_database: Any, pair: pg.Database) -> None:
    """B11: cancelled transactions are garbage without complaints."""
    db = await open_database(size=2)

    async def change() -> None:
        async with db.transaction() as tx:
            await tx.run("INSERT INTO pair VALUES (1, 'a')")
            await tx.run("SELECT pg_sleep(1)")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tasks = [asyncio.ensure_future(change()) for _ in range(2)]
        await until(lambda: len(db._pool._held) == 2)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        del tasks, task
        gc.collect()


async def test_works_with_many_open_files(open_database: Any, pair: pg.Database) -> None:
    """aiopg asks select() about a failed socket, and select() knows no descriptor from 1024 on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        db = await open_database(size=1)
        with pytest.raises(pg.StatementFailed):
            await db.one(pg.value, "SELECT nonsense")
        assert db._pool._idle[0].raw.fileno() > 1024
        with pytest.raises(pg.OutcomeUnknown):
            await db.run("DO $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END $$")
        assert await db.one(pg.value, "SELECT 1") == 1
        await db.close()
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_gives_up_on_a_server_that_says_nothing(open_database: Any, pair: pg.Database, proxy: Any) -> None:
    db = await open_database(proxy.dsn, statement_timeout_ms=100)
    await db.one(pg.value, "SELECT 1")
    for lying in db._pool._idle:
        lying._limit_s = 0.05
        lying._look()
    proxy.is_frozen = True
    with pytest.raises(pg.StatementTimeout):
        await db.one(pg.value, "SELECT 1")
    assert db._pool._held == set()


def test_heals_on_uvloop_too(postgres_server: Any) -> None:
    """B7: the same storm on the loop that production runs."""

    async def storm() -> None:
        db = await pg.Database.open(postgres_server.dsn, name="uv", size=4, statement_timeout_ms=100)
        admin = await pg.Database.open(postgres_server.dsn, name="uvadmin", size=1)
        try:
            with pytest.raises(pg.StatementTimeout):
                await db.one(pg.value, "SELECT pg_sleep(3)")
            for _ in range(20):
                calls = [db.one(pg.value, "SELECT 1 FROM pg_sleep(0.01)") for _ in range(16)]
                storming = asyncio.gather(*calls, return_exceptions=True)
                await asyncio.sleep(0.005)
                await admin.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'uv'")
                for outcome in await storming:
                    assert outcome == 1 or isinstance(outcome, pg.Unavailable)
            assert await asyncio.gather(*(db.one(pg.value, "SELECT 1") for _ in range(16))) == [1] * 16
            dead = await pg.Database.open("postgresql://x@127.0.0.1:1/x", name="dead")
            for _ in range(4):
                with pytest.raises(pg.Unavailable):
                    await dead.ping()
                await asyncio.sleep(0.06)
            await dead.close()
        finally:
            await db.close()
            await admin.close()

    uvloop.run(storm())


async def test_cancelled_at_any_moment_leaves_a_connection_in_order(open_database: Any) -> None:
    db = await open_database(size=2)
    for turns in range(40):
        task = asyncio.ensure_future(db.one(pg.value, "SELECT 7"))
        for _ in range(turns % 10):
            await asyncio.sleep(0)
        await asyncio.sleep(0.0001 * (turns // 10))
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.result() == 7
        assert await db.one(pg.value, "SELECT 8") == 8
        assert not db._pool._held
    assert all(isinstance(lying, link.Link) and lying.is_usable() for lying in db._pool._idle)
