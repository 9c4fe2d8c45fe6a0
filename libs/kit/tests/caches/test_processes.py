"""Two memories on one database, and a listening connection that is lost."""

import asyncio
import random
from typing import Any

import pytest

from kit import caches, metrics, pg
from testkit.waiting import until

Kept = caches.Keyed[Any]
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caches:listen'"


async def lose_the_line(memory: caches.Caches, db: pg.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listening connection is killed, and does not come back until the test lets it."""
    monkeypatch.setattr(pg.listen, "BACKOFF_S", (3600.0, 3600.0))
    await db.run(KILL)
    await until(lambda: not memory.is_listening)


async def test_hears_what_another_process_changes(opened: Any, kept: Kept, songs: Any) -> None:
    here, there = await opened(kept), await opened(kept)
    for version in range(1, 20):
        await songs.put("moon", version)
        there.expect("songs", "moon", version)
        seen = await there.read(kept, "moon")
        # The other one may not have heard yet, but answers whoever names the version.
        assert (await here.read(kept, "moon", at_least=seen.version)).version == version


async def test_never_goes_back(opened: Any, kept: Kept, songs: Any) -> None:
    memories = [await opened(kept), await opened(kept)]
    names = [f"song-{number}" for number in range(40)]
    seen: list[dict[str, int]] = [{}, {}]
    is_over = asyncio.Event()
    dice = random.Random(7)

    async def write(name: str) -> None:
        for version in range(1, 15):
            await songs.put(name, version)
            if dice.random() < 0.5:
                memories[0].expect("songs", name, version)

    async def watch(number: int, name: str) -> None:
        while not is_over.is_set():
            known = seen[number].get(name, 0)
            if dice.random() < 0.5:
                found = await memories[number].read(kept, name)
            else:
                found = await memories[number].wait(kept, name, beyond=known, timeout_s=0.2)
            version = found.version if found else 0
            assert version >= seen[number].get(name, 0)
            seen[number][name] = version
            await asyncio.sleep(0)

    watching = [asyncio.create_task(watch(number, name)) for number in (0, 1) for name in names]
    await asyncio.gather(*(write(name) for name in names))
    await until(lambda: all(seen[number].get(name) == 14 for number in (0, 1) for name in names))
    is_over.set()
    await asyncio.gather(*watching)


async def test_reads_at_most_once_for_each_change(opened: Any, kept: Kept, songs: Any, begun: Any) -> None:
    memory = await opened(kept)
    await songs.put("moon", 1)
    await memory.read(kept, "moon")
    for version in range(2, 12):
        waiters = [await begun(memory.wait(kept, "moon", beyond=version - 1, timeout_s=5)) for _ in range(20)]
        await songs.put("moon", version)
        memory.expect("songs", "moon", version)
        assert {song.version for song in await asyncio.gather(*waiters)} == {version}
    assert len(songs.loads) == 11


async def test_asks_the_database_while_it_cannot_hear(
    opened: Any, kept: Kept, songs: Any, db: pg.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = await opened(kept)
    await songs.put("moon", 1)
    await memory.read(kept, "moon")
    await lose_the_line(memory, db, monkeypatch)
    assert memory.peek(kept, "moon") is caches.UNKNOWN
    assert metrics.value("pg_listener_connected", listener="caches") == 0
    before = metrics.value("cache_reads_total", cache="songs", source="database")
    await songs.put("moon", 2)
    answers = await asyncio.gather(*(memory.read(kept, "moon") for _ in range(5)))
    assert [song.version for song in answers] == [2] * 5
    assert len(songs.loads) == 2
    assert metrics.value("cache_reads_total", cache="songs", source="database") == before + 5


async def test_gives_a_reader_who_cannot_hear_what_was_read_after_it_asked(
    opened: Any, kept: Kept, songs: Any, db: pg.Database, monkeypatch: pytest.MonkeyPatch, begun: Any
) -> None:
    memory = await opened(kept)
    await songs.put("moon", 1)
    await lose_the_line(memory, db, monkeypatch)
    with songs.closed_gate():
        early = await begun(memory.read(kept, "moon"))
        await songs.has_read.wait()
        await songs.put("moon", 2)
        late = await begun(memory.read(kept, "moon"))
    assert ((await early).version, (await late).version) == (1, 2)


async def test_wakes_waiters_while_it_cannot_hear(
    opened: Any, kept: Kept, songs: Any, db: pg.Database, monkeypatch: pytest.MonkeyPatch, begun: Any
) -> None:
    memory = await opened(kept)
    await songs.put("moon", 1)
    waiter = await begun(memory.wait(kept, "moon", beyond=1, timeout_s=20))
    await until(lambda: metrics.value("cache_waiting", cache="songs") == 1)
    await lose_the_line(memory, db, monkeypatch)
    await songs.put("moon", 2)
    async with asyncio.timeout(3):
        assert (await waiter).version == 2
    assert len(songs.loads) <= 4


async def test_reads_anew_what_changed_while_it_could_not_hear(
    opened: Any, kept: Kept, songs: Any, db: pg.Database, begun: Any
) -> None:
    memory = await opened(kept)
    await songs.put("moon", 1)
    await songs.put("sun", 1)
    waiter = await begun(memory.wait(kept, "moon", beyond=1, timeout_s=20))
    await memory.read(kept, "sun")
    await until(lambda: metrics.value("cache_waiting", cache="songs") == 1)
    await songs.put("moon", 2, is_told=False)
    await songs.put("sun", 2, is_told=False)
    await db.run(KILL)
    async with asyncio.timeout(2):
        assert (await waiter).version == 2
    await until(lambda: memory.is_listening)
    assert (await memory.read(kept, "sun")).version == 2
    loads = len(songs.loads)
    assert (await memory.read(kept, "sun")).version == 2
    assert len(songs.loads) == loads


async def test_does_not_keep_what_was_read_before_it_could_hear(
    opened: Any, kept: Kept, songs: Any, db: pg.Database, begun: Any
) -> None:
    memory = await opened(kept)
    await songs.put("moon", 1)
    with songs.closed_gate():
        early = await begun(memory.read(kept, "moon"))
        await songs.has_read.wait()
        await db.run(KILL)
        await until(lambda: not memory.is_listening)
        await songs.put("moon", 2)
        await until(lambda: memory.is_listening)
    assert (await early).version == 1
    assert (await memory.read(kept, "moon")).version == 2
