import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kit import caches, metrics, pg
from kit.caches import whole
from testkit import until


class Source:
    """What there is to load, and how often it was loaded; `failure` is raised instead."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.loads = 0

    async def load(self, db: pg.Executor) -> list[int] | None:
        self.loads += 1
        if self.failure is not None:
            raise self.failure
        found = await db.all(pg.value, "SELECT n FROM stations ORDER BY n")
        return found or None


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def stations(source: Source) -> caches.Cache[list[int]]:
    return caches.Cache("stations", channel="stations", load=source.load)


@pytest.fixture
async def db(make_database: Any) -> AsyncIterator[pg.Database]:
    async with make_database([]) as dsn:
        opened = await pg.Database.open(dsn, name="test")
        await opened.run("CREATE TABLE stations (n integer)")
        await opened.run("INSERT INTO stations VALUES (1)")
        yield opened
        await opened.close()


@pytest.fixture
async def kept(db: pg.Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[caches.Caches]:
    monkeypatch.setattr(whole, "_RETRY_S", 0.02)
    kept = caches.Caches(db)
    yield kept
    await kept.close()


async def add(db: pg.Database, number: int, channel: str = "stations") -> None:
    async with db.transaction() as tx:
        await tx.run("INSERT INTO stations VALUES (%(number)s)", number=number)
        await tx.run("SELECT pg_notify(%(channel)s, '')", channel=channel)


def is_now(kept: caches.Caches, cache: caches.Cache[Any], value: Any) -> Any:
    return lambda: kept.get(cache) == value


async def test_loads_when_the_database_is_there(kept: caches.Caches, stations: caches.Cache[list[int]]) -> None:
    with pytest.raises(caches.NotLoaded):
        kept.get(stations)
    await kept.start([stations])
    with pytest.raises(RuntimeError, match="not loaded: stations"):
        await kept.check()
    await until(lambda: _is_loaded(kept))
    assert kept.get(stations) == [1]
    assert kept.is_listening


async def _is_loaded(kept: caches.Caches) -> bool:
    try:
        await kept.check()
    except RuntimeError:
        return False
    return True


async def test_loads_again_when_told(kept: caches.Caches, stations: caches.Cache[list[int]], db: pg.Database) -> None:
    await kept.start([stations])
    await until(lambda: _is_loaded(kept))
    await add(db, 2)
    await until(is_now(kept, stations, [1, 2]))


async def test_tells_every_cache_of_a_channel(
    kept: caches.Caches, stations: caches.Cache[list[int]], db: pg.Database
) -> None:
    async def count(executor: pg.Executor) -> int:
        return int(await executor.one(pg.value, "SELECT count(*) AS n FROM stations"))

    counted = caches.Cache("count", channel="stations", load=count)
    await kept.start([stations, counted])
    await until(lambda: _is_loaded(kept))
    await add(db, 2)
    await until(is_now(kept, stations, [1, 2]))
    await until(is_now(kept, counted, 2))


async def test_tries_again_and_keeps_the_last_good_value(
    kept: caches.Caches, stations: caches.Cache[list[int]], db: pg.Database, source: Source
) -> None:
    await kept.start([stations])
    await until(lambda: _is_loaded(kept))
    source.failure = ValueError("broken")
    failed = metrics.value("cache_loads_total", cache="stations", outcome="failed")
    await add(db, 2)
    await until(lambda: metrics.value("cache_loads_total", cache="stations", outcome="failed") >= failed + 3)
    assert kept.get(stations) == [1]
    source.failure = None
    await until(is_now(kept, stations, [1, 2]))


async def test_tries_again_when_a_library_cancels(
    kept: caches.Caches, stations: caches.Cache[list[int]], source: Source
) -> None:
    source.failure = asyncio.CancelledError()
    await kept.start([stations])
    await until(lambda: source.loads >= 2)
    source.failure = None
    await until(lambda: _is_loaded(kept))


async def test_keeps_the_last_value_when_there_is_none_any_more(
    kept: caches.Caches, stations: caches.Cache[list[int]], db: pg.Database, source: Source
) -> None:
    await kept.start([stations])
    await until(lambda: _is_loaded(kept))
    loads = source.loads
    await db.run("DELETE FROM stations")
    await db.run("SELECT pg_notify('stations', '')")
    await until(lambda: source.loads > loads)
    assert kept.get(stations) == [1]


async def test_loads_again_after_the_listening_connection_was_lost(
    kept: caches.Caches, stations: caches.Cache[list[int]], db: pg.Database
) -> None:
    await kept.start([stations])
    await until(lambda: _is_loaded(kept))
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caches:listen'"
    await db.run("INSERT INTO stations VALUES (2)")  # nobody is told
    await until(lambda: db.run(kill))
    await until(is_now(kept, stations, [1, 2]))
    await add(db, 3)
    await until(is_now(kept, stations, [1, 2, 3]))


async def test_keeps_nothing_when_there_is_nothing_to_keep(kept: caches.Caches) -> None:
    await kept.start([])
    await kept.check()
    assert not kept.is_listening


async def test_ends_while_a_load_hangs(db: pg.Database) -> None:
    begun = asyncio.Event()

    async def hang(executor: pg.Executor) -> None:
        begun.set()
        await asyncio.Event().wait()

    kept = caches.Caches(db)
    await kept.start([caches.Cache("slow", channel="slow", load=hang)])
    await begun.wait()
    async with asyncio.timeout(3):
        await kept.close()
