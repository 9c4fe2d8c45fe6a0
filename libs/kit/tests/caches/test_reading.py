"""Reading by key: from memory while it is certain, together and once when it is not."""

import asyncio
from typing import Any

import pytest

from kit import caches, metrics
from testkit.waiting import until

Memory = caches.Caches
Kept = caches.Keyed[Any]


def version_of(memory: Memory, kept: Kept, name: str) -> int | None:
    """What memory shows, None when it does not answer."""
    found = memory.peek(kept, name)
    return None if found is None or found is caches.UNKNOWN else found.version


async def test_reads_once_and_then_answers_from_memory(memory: Memory, kept: Kept, songs: Any) -> None:
    await songs.put("moon", 1)
    assert memory.peek(kept, "moon") is caches.UNKNOWN
    before = metrics.value("cache_reads_total", cache="songs", source="memory")
    found = await memory.read(kept, "moon")
    assert found is not None
    assert found.version == 1
    assert memory.peek(kept, "moon") is found
    assert await memory.read(kept, "moon") is found
    assert songs.loads == [["moon"]]
    assert metrics.value("cache_reads_total", cache="songs", source="memory") == before + 2


async def test_remembers_that_there_is_nothing(memory: Memory, kept: Kept, songs: Any) -> None:
    assert await memory.read(kept, "moon") is None
    assert memory.peek(kept, "moon") is None
    await songs.put("moon", 1)
    await until(lambda: memory.peek(kept, "moon") is caches.UNKNOWN)
    found = await memory.read(kept, "moon")
    assert found is not None
    assert found.version == 1


async def test_reads_the_keys_of_one_turn_together(memory: Memory, kept: Kept, songs: Any) -> None:
    names = [f"song-{number:03}" for number in range(300)]
    await asyncio.gather(*(songs.put(name, 7, is_told=False) for name in names[:20]))
    found = await asyncio.gather(*(memory.read(kept, name) for name in names + names))
    assert [song.version for song in found if song] == [7] * 40
    assert sorted(name for load in songs.loads for name in load) == names
    assert len(songs.loads) == 2


async def test_reads_together_what_is_asked_for_while_loads_run(
    memory: Memory, kept: Kept, songs: Any, begun: Any
) -> None:
    with songs.closed_gate():
        for name in ("a", "b", "c", "d"):
            await begun(memory.read(kept, name))
            await asyncio.sleep(0)
        reading = await begun(memory.read(kept, "e"))
    await reading
    assert songs.loads == [["a"], ["b"], ["c", "d", "e"]]


async def test_reads_again_only_when_asked_after_a_change(memory: Memory, kept: Kept, songs: Any) -> None:
    await songs.put("moon", 1)
    await memory.read(kept, "moon")
    await songs.put("moon", 2)
    await songs.put("moon", 3)
    await until(lambda: memory.peek(kept, "moon") is caches.UNKNOWN)
    await memory.read(kept, "moon")
    await until(lambda: version_of(memory, kept, "moon") == 3)
    assert len(songs.loads) <= 3


async def test_reads_nothing_for_a_version_that_it_has(memory: Memory, kept: Kept, songs: Any) -> None:
    await songs.put("moon", 5)
    await memory.read(kept, "moon")
    for word in ("moon 4", "moon 5", "sun 9"):
        await songs.tell(word)
    await songs.put("mark", 1)
    await memory.read(kept, "mark")
    await songs.put("mark", 2)
    await until(lambda: memory.peek(kept, "mark") is caches.UNKNOWN)
    assert version_of(memory, kept, "moon") == 5


@pytest.mark.parametrize("word", ["moon", "moon ?", ""])
async def test_reads_again_what_may_have_changed_without_a_version(
    memory: Memory, kept: Kept, songs: Any, word: str
) -> None:
    await songs.put("moon", 5)
    await memory.read(kept, "moon")
    await songs.tell(word)
    await until(lambda: memory.peek(kept, "moon") is caches.UNKNOWN)
    await memory.read(kept, "moon")
    assert version_of(memory, kept, "moon") == 5
    assert len(songs.loads) == 2


@pytest.mark.parametrize("word", ["moon 2", "moon", ""])
async def test_does_not_keep_as_fresh_what_was_read_before_the_word_came(
    memory: Memory, kept: Kept, songs: Any, begun: Any, word: str
) -> None:
    await songs.put("moon", 1)
    with songs.closed_gate():
        early = await begun(memory.read(kept, "moon"))
        await songs.has_read.wait()
        await songs.put("moon", 2, is_told=False)
        await songs.put("mark", 1)
        await songs.tell(word)
        await until(lambda: _has_heard(memory, kept, "moon", word))
        late = await begun(memory.read(kept, "moon"))
    assert (await early).version == 1
    assert (await late).version == 2
    assert version_of(memory, kept, "moon") == 2


def _has_heard(memory: Memory, kept: Kept, name: str, word: str) -> bool:
    store = memory._stores[kept.name]
    slot = store._slots[name]
    return bool({"moon 2": slot._floor == 2, "moon": slot._told_after, "": store._epoch == 2}[word])


async def test_hears_of_a_key_that_begins_anew_below_its_former_version(
    memory: Memory, kept: Kept, songs: Any, begun: Any
) -> None:
    await memory.read(kept, "moon")
    await songs.put("moon", 9)
    await until(lambda: memory.peek(kept, "moon") is caches.UNKNOWN)
    await memory.read(kept, "moon")
    await songs.db.run("DELETE FROM songs")
    await songs.tell("moon")
    await until(lambda: memory.peek(kept, "moon") is caches.UNKNOWN)
    with songs.closed_gate():
        early = await begun(memory.read(kept, "moon"))
        await songs.has_read.wait()
        await songs.put("moon", 1, is_told=False)
        memory.expect("songs", "moon", 1)
    assert await early is None
    found = await memory.read(kept, "moon")
    assert found is not None
    assert found.version == 1


async def test_keeps_what_was_read_before_the_word_came_when_it_is_that_version(
    memory: Memory, kept: Kept, songs: Any, begun: Any
) -> None:
    await songs.put("moon", 1)
    with songs.closed_gate():
        reading = await begun(memory.read(kept, "moon"))
        await songs.has_read.wait()
        await songs.tell("moon 1")
        await until(lambda: _has_floor(memory, kept, "moon", 1))
    await reading
    assert version_of(memory, kept, "moon") == 1
    assert len(songs.loads) == 1


def _has_floor(memory: Memory, kept: Kept, name: str, version: int) -> bool:
    return bool(memory._stores[kept.name]._slots[name]._floor == version)


async def test_asks_the_database_for_a_version_above_memory(memory: Memory, kept: Kept, songs: Any) -> None:
    await songs.put("moon", 1)
    await memory.read(kept, "moon")
    await songs.put("moon", 2, is_told=False)
    assert memory.peek(kept, "moon", at_least=2) is caches.UNKNOWN
    found = await memory.read(kept, "moon", at_least=2)
    assert found is not None
    assert found.version == 2
    # A version that does not exist costs one read and changes nothing.
    found = await memory.read(kept, "moon", at_least=99)
    assert found is not None
    assert found.version == 2
    assert version_of(memory, kept, "moon") == 2
    assert len(songs.loads) == 3


async def test_shows_an_own_change_before_the_word_of_it_comes(memory: Memory, kept: Kept, songs: Any) -> None:
    await songs.put("moon", 1)
    await memory.read(kept, "moon")
    await songs.put("moon", 2, is_told=False)
    memory.expect("songs", "moon", 2)
    assert memory.peek(kept, "moon") is caches.UNKNOWN
    found = await memory.read(kept, "moon")
    assert found is not None
    assert found.version == 2
    await songs.tell("moon 2")
    await songs.put("mark", 1)
    await memory.read(kept, "mark")
    assert version_of(memory, kept, "moon") == 2
    memory.expect("songs", "never-asked-for", 3)
    memory.expect("another_channel", "moon", 9)
    assert version_of(memory, kept, "moon") == 2
    assert len(songs.loads) == 3


async def test_goes_on_reading_when_one_of_its_readers_is_cancelled(
    memory: Memory, kept: Kept, songs: Any, begun: Any
) -> None:
    await songs.put("moon", 1)
    with songs.closed_gate():
        first = await begun(memory.read(kept, "moon"))
        second = await begun(memory.read(kept, "moon"))
        await songs.has_read.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    assert (await second).version == 1
    assert len(songs.loads) == 1
    assert not memory._stores[kept.name]._slots["moon"].readers


async def test_reads_nothing_that_nobody_waits_for_any_more(memory: Memory, kept: Kept, songs: Any, begun: Any) -> None:
    with songs.closed_gate():
        for name in ("a", "b"):
            await begun(memory.read(kept, name))
            await asyncio.sleep(0)
        (await begun(memory.read(kept, "given-up"))).cancel()
        again = await begun(memory.read(kept, "moon"))
    await again
    assert songs.loads == [["a"], ["b"], ["moon"]]
