"""Waiting for a newer version: no change is missed, nobody is kept, and thousands cost little."""

import asyncio
import time
import tracemalloc
from typing import Any

import pytest

from kit import caches, metrics, pg
from kit.caches import keyed
from testkit.waiting import until

Memory = caches.Caches
Kept = caches.Keyed[Any]


@pytest.fixture
def no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiters are woken by the word alone."""
    monkeypatch.setattr(keyed, "_LOOK_AGAIN_S", 3600.0)


def waiting() -> float:
    return metrics.value("cache_waiting", cache="songs")


@pytest.mark.usefixtures("no_second_look")
async def test_wakes_at_a_change(memory: Memory, kept: Kept, songs: Any, begun: Any) -> None:
    await songs.put("moon", 1)
    waiter = await begun(memory.wait(kept, "moon", beyond=1, timeout_s=20))
    await until(lambda: waiting() == 1)
    await songs.put("moon", 2)
    async with asyncio.timeout(2):
        assert (await waiter).version == 2
    assert waiting() == 0
    assert len(songs.loads) == 2


async def test_answers_at_once_what_is_newer_already(memory: Memory, kept: Kept, songs: Any) -> None:
    await songs.put("moon", 3)
    began = time.monotonic()
    found = await memory.wait(kept, "moon", beyond=2, timeout_s=20)
    assert found is not None
    assert found.version == 3
    assert time.monotonic() - began < 5


async def test_gives_what_is_there_when_the_time_is_up(memory: Memory, kept: Kept, songs: Any) -> None:
    await songs.put("moon", 3)
    await memory.read(kept, "moon")
    began = time.monotonic()
    found = await memory.wait(kept, "moon", beyond=3, timeout_s=0.3)
    assert found is not None
    assert found.version == 3
    assert 0.24 <= time.monotonic() - began < 2
    assert await memory.wait(kept, "nothing", beyond=0, timeout_s=0.1) is None
    assert waiting() == 0


async def test_wakes_when_something_appears_and_when_it_is_gone(
    memory: Memory, kept: Kept, songs: Any, begun: Any
) -> None:
    waiter = await begun(memory.wait(kept, "moon", beyond=0, timeout_s=20))
    await until(lambda: waiting() == 1)
    await songs.put("moon", 1)
    async with asyncio.timeout(2):
        assert (await waiter).version == 1
    waiter = await begun(memory.wait(kept, "moon", beyond=1, timeout_s=20))
    await until(lambda: waiting() == 1)
    await songs.db.run("DELETE FROM songs")
    await songs.tell("moon")
    async with asyncio.timeout(2):
        assert await waiter is None


@pytest.mark.usefixtures("no_second_look")
async def test_hears_of_a_change_that_came_between_the_read_and_the_wait(opened: Any, songs: Any) -> None:
    async def load(db: pg.Executor, keys: Any) -> Any:
        found = await songs.load(db, keys)
        if len(songs.loads) == 1:
            await songs.put("moon", 2, is_told=False)
            # After the load has ended, and before its reader goes on.
            asyncio.get_running_loop().call_soon(memory.expect, "songs", "moon", 2)
        return found

    await songs.put("moon", 1)
    kept: Kept = caches.Keyed("songs", channel="songs", load=load)
    memory: Memory = await opened(kept)
    async with asyncio.timeout(5):
        found = await memory.wait(kept, "moon", beyond=1, timeout_s=20)
    assert found is not None
    assert found.version == 2


async def test_sleeps_through_what_is_not_newer(memory: Memory, kept: Kept, songs: Any, begun: Any) -> None:
    await songs.put("moon", 5)
    waiter = await begun(memory.wait(kept, "moon", beyond=5, timeout_s=20))
    await until(lambda: waiting() == 1)
    loads = len(songs.loads)
    await songs.tell("moon")
    await until(lambda: len(songs.loads) > loads)
    await songs.put("other", 1)
    await memory.read(kept, "other")
    assert not waiter.done()
    assert waiting() == 1


async def test_leaves_nothing_of_cancelled_waiters(memory: Memory, kept: Kept, songs: Any, begun: Any) -> None:
    await songs.put("moon", 5)
    waiters = [await begun(memory.wait(kept, "moon", beyond=5, timeout_s=20)) for _ in range(3)]
    await until(lambda: waiting() == 3)
    for waiter in waiters[:2]:
        waiter.cancel()
    await asyncio.wait(waiters[:2])
    assert waiting() == 1
    await songs.put("moon", 6)
    async with asyncio.timeout(2):
        assert (await waiters[2]).version == 6
    store = memory._stores[kept.name]
    assert not store._watched
    assert not store._wheel._due
    assert not store._slots["moon"].waiters


async def test_lets_waiters_go_when_the_process_drains(memory: Memory, kept: Kept, songs: Any, begun: Any) -> None:
    await songs.put("moon", 5)
    waiters = [await begun(memory.wait(kept, name, beyond=5, timeout_s=20)) for name in ("moon", "moon", "sun")]
    await until(lambda: waiting() == 2)
    memory.release()
    async with asyncio.timeout(1):
        first, second, gone = await asyncio.gather(*waiters)
        assert (first.version, second.version, gone) == (5, 5, None)
        assert (await memory.wait(kept, "moon", beyond=5, timeout_s=20)).version == 5  # type: ignore[union-attr]


async def test_waits_on_through_a_failed_load(memory: Memory, kept: Kept, songs: Any, begun: Any) -> None:
    await songs.put("moon", 1)
    waiter = await begun(memory.wait(kept, "moon", beyond=1, timeout_s=20))
    await until(lambda: waiting() == 1)
    songs.failure = TimeoutError()
    loads = len(songs.loads)
    await songs.put("moon", 2)
    await until(lambda: len(songs.loads) > loads)
    assert not waiter.done()
    songs.failure = None
    async with asyncio.timeout(5):
        assert (await waiter).version == 2


async def test_keeps_five_thousand_waiters_for_little(memory: Memory, kept: Kept, songs: Any) -> None:
    names = [f"song-{number}" for number in range(5000)]
    await songs.db.run("INSERT INTO songs SELECT 'song-' || n, 1 FROM generate_series(0, 4999) n")
    tracemalloc.start()
    tasks = len(asyncio.all_tasks())
    waiters = [asyncio.create_task(memory.wait(kept, name, beyond=1, timeout_s=25)) for name in names]
    await until(lambda: waiting() == 5000, timeout_s=30)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(asyncio.all_tasks()) <= tasks + 5000 + 1
    assert size / 5000 < 5000, "bytes for a waiter with its task, its key and its value"
    took = sorted([await woken(songs, names[number], waiters[number]) for number in range(0, 5000, 25)])
    assert took[198] < 0.05, f"p99 {took[198]:.3f} s"
    memory.release()
    await asyncio.gather(*waiters)
    assert waiting() == 0


async def woken(songs: Any, name: str, waiter: "asyncio.Task[Any]") -> float:
    """Seconds from the commit of a change to its waiter's answer."""
    await songs.put(name, 2)
    began = time.monotonic()
    assert (await waiter).version == 2
    return time.monotonic() - began
