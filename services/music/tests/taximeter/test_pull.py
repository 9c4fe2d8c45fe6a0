"""Pulling commands, at once or by waiting for them."""

import asyncio
from typing import Any

import pytest

from kit import metrics
from testkit.waiting import until

STATUSES = "SELECT status FROM commands.commands ORDER BY seq"


async def _seqs(answer: Any) -> list[int]:
    assert answer.status == 200, answer
    return [each["seq"] for each in answer.body["commands"]]


async def _statuses(world: Any) -> list[str]:
    return [row["status"] for row in await world.rows(STATUSES)]


async def test_gives_what_is_open_after_a_number(world: Any) -> None:
    await world.opened()
    for _ in range(3):
        await world.press()
    assert await _seqs(await world.pulls(after_seq=1)) == [2, 3]
    assert await _statuses(world) == ["queued", "delivered", "delivered"]
    assert await _seqs(await world.pulls()) == [1, 2, 3]
    assert await _seqs(await world.pulls(after_seq=3)) == []
    await world.reports(1, applied_seq=1)
    assert await _seqs(await world.pulls()) == [2, 3]


async def test_never_gives_what_is_over(world: Any) -> None:
    await world.opened()
    await world.press()
    await world.pass_time(seconds=14)
    await world.press()
    await world.pass_time(seconds=1)
    answer = await world.pulls()
    assert await _seqs(answer) == [2]
    assert 13_000 < answer.body["commands"][0]["expires_in_ms"] <= 14_000
    assert await _statuses(world) == ["queued", "delivered"]


async def test_answers_at_once_when_there_is_something(world: Any) -> None:
    await world.opened()
    await world.press()
    async with asyncio.timeout(5):
        assert await _seqs(await world.pulls(wait_ms=20_000)) == [1]


async def _waiting(world: Any, **query: int) -> asyncio.Task[Any]:
    """A pull that has begun to wait."""
    task = asyncio.create_task(world.pulls(**{"wait_ms": 20_000} | query))
    await until(lambda: metrics.value("cache_waiting", cache="players") == 1)
    return task


async def test_waits_for_the_next_command(world: Any) -> None:
    await world.opened()
    await world.reports()
    waiting = await _waiting(world)
    await world.reports(state={"volume": 9})
    assert not waiting.done()
    await world.press()
    async with asyncio.timeout(5):
        assert await _seqs(await waiting) == [1]
    assert await _statuses(world) == ["delivered"]


async def test_answers_whoever_waits_when_the_player_closes(world: Any) -> None:
    await world.opened()
    waiting = await _waiting(world)
    await world.closes()
    async with asyncio.timeout(5):
        answer = await waiting
    assert (answer.status, answer.code) == (410, "player_closed")


async def test_answers_empty_when_the_time_is_over(world: Any) -> None:
    await world.opened()
    async with asyncio.timeout(5):
        assert await _seqs(await world.pulls(wait_ms=200)) == []


async def test_lets_whoever_waits_go_when_it_stops(world: Any) -> None:
    await world.opened()
    waiting = await _waiting(world)
    world.music.context.caches.release()
    async with asyncio.timeout(5):
        assert await _seqs(await waiting) == []


@pytest.mark.parametrize("query", ["wait_ms=25001", "wait_ms=-1", "after_seq=-1", "after_seq=x", "more=1"])
async def test_refuses_what_is_no_pull(world: Any, query: str) -> None:
    await world.opened()
    answer = await world.as_driver("GET", f"commands?order_id=order-1&{query}")
    assert (answer.status, answer.code) == (400, "request_invalid")
