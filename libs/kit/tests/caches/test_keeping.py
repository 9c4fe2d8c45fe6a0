"""What happens to keys and readers when loads fail, memory is full, or the process ends."""

import asyncio
from typing import Any

import pytest

from kit import caches, metrics, pg, scope
from testkit.waiting import until

Memory = caches.Caches
Kept = caches.Keyed[Any]


@pytest.mark.parametrize("failure", [pg.Unavailable(), pg.StatementTimeout(), asyncio.CancelledError()])
async def test_refuses_all_readers_when_the_database_fails_and_reads_anew_then(
    memory: Memory, kept: Kept, songs: Any, failure: BaseException
) -> None:
    await songs.put("moon", 1)
    songs.failure = failure
    answers = await asyncio.gather(*(memory.read(kept, "moon") for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [caches.NotLoaded] * 3
    assert len({id(answer) for answer in answers}) == 3
    assert len(songs.loads) == 1
    songs.failure = None
    found = await memory.read(kept, "moon")
    assert found is not None
    assert found.version == 1


async def test_says_that_a_loader_is_broken(memory: Memory, kept: Kept, songs: Any) -> None:
    songs.failure = KeyError("a mistake")
    failed = metrics.value("cache_loads_total", cache="songs", outcome="failed")
    with pytest.raises(RuntimeError, match="songs could not be loaded"):
        await memory.read(kept, "moon")
    assert metrics.value("cache_loads_total", cache="songs", outcome="failed") == failed + 1


async def test_loads_outside_of_the_request_that_asked_first(opened: Any, songs: Any) -> None:
    seen: list[scope.Scope | None] = []

    async def load(db: pg.Executor, keys: Any) -> Any:
        seen.append(scope.current())
        return await songs.load(db, keys)

    kept: Kept = caches.Keyed("songs", channel="songs", load=load)
    memory = await opened(kept)
    with scope.entered(scope.Scope(operation="test")):
        await memory.read(kept, "moon")
    assert seen == [None]


async def test_keeps_the_most_recently_used_keys(opened: Any, songs: Any) -> None:
    kept: Kept = caches.Keyed("songs", channel="songs", load=songs.load, most=3)
    memory = await opened(kept)
    for name in ("a", "b", "c"):
        await memory.read(kept, name)
    assert memory.peek(kept, "a") is None
    await memory.read(kept, "d")
    assert memory.peek(kept, "b") is caches.UNKNOWN
    assert [memory.peek(kept, name) for name in ("a", "c", "d")] == [None] * 3
    assert metrics.value("cache_entries", cache="songs") == 3


async def test_drops_no_key_that_somebody_reads_or_waits_for(opened: Any, songs: Any, begun: Any) -> None:
    kept: Kept = caches.Keyed("songs", channel="songs", load=songs.load, most=2)
    memory = await opened(kept)
    waiting = [await begun(memory.wait(kept, name, beyond=0, timeout_s=20)) for name in ("a", "b", "c")]
    await until(lambda: metrics.value("cache_waiting", cache="songs") == 3)
    await asyncio.gather(*(memory.read(kept, f"other-{number}") for number in range(50)))
    for name in ("a", "b", "c"):
        await songs.put(name, 1)
    async with asyncio.timeout(5):
        assert [song.version for song in await asyncio.gather(*waiting)] == [1, 1, 1]
    await memory.read(kept, "x")
    await memory.read(kept, "y")
    assert metrics.value("cache_entries", cache="songs") == 2


async def test_reads_a_key_that_was_given_up_and_dropped_before_its_turn(opened: Any, songs: Any, begun: Any) -> None:
    kept: Kept = caches.Keyed("songs", channel="songs", load=songs.load, most=3)
    memory = await opened(kept)
    with songs.closed_gate():
        reading = [await begun(memory.read(kept, name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        (await begun(memory.read(kept, "moon"))).cancel()
        await asyncio.sleep(0)
        reading += [await begun(memory.read(kept, name)) for name in ("c", "d", "moon")]
    async with asyncio.timeout(3):
        assert await asyncio.gather(*reading) == [None] * 5


async def test_refuses_readers_when_it_closes(memory: Memory, kept: Kept, songs: Any, begun: Any) -> None:
    with songs.closed_gate():
        reading = [await begun(memory.read(kept, name)) for name in ("a", "b", "c")]
        await songs.has_read.wait()
        reading.append(await begun(memory.read(kept, "d")))
        async with asyncio.timeout(3):
            await memory.close()
            answers = await asyncio.gather(*reading, return_exceptions=True)
    assert [type(answer) for answer in answers] == [caches.NotLoaded] * 4


async def test_asks_the_database_each_time_before_it_listens(db: pg.Database, kept: Kept, songs: Any) -> None:
    memory = caches.Caches(db)
    await songs.put("moon", 1)
    for _ in range(2):
        found = await memory.read(kept, "moon")
        assert found is not None
        assert memory.peek(kept, "moon") is caches.UNKNOWN
    assert len(songs.loads) == 2
    await memory.close()
