"""Two who change one player at the same moment: one after another, and each order of the two is right."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from kit import pg
from music.commands import queries
from testkit.waiting import until

ARE_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
FATES = "SELECT status, reason, late_result FROM commands.commands ORDER BY seq"
PRESS, REPORT, CLOSE = "press", "report", "close"


async def _fates(world: Any) -> list[Any]:
    return [tuple(row.values()) for row in await world.rows(FATES)]


async def _one_after_another(world: Any, *requests: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
    """The answers to requests that come while the player is locked, and are served in this order."""
    tasks = list[asyncio.Task[Any]]()
    async with world.music.context.db.transaction() as tx:
        await tx.run("SELECT FROM players.players FOR UPDATE")
        for number, request in enumerate(requests, 1):
            tasks.append(asyncio.create_task(request()))
            await until(functools.partial(_are_waiting, tx, number))
    return list(await asyncio.gather(*tasks))


async def _are_waiting(tx: pg.Transaction, wanted: int) -> bool:
    await tx.run("SELECT pg_stat_clear_snapshot()")
    return bool(await tx.one(pg.value, ARE_WAITING) == wanted)


@pytest.mark.parametrize(
    ("order", "answer", "fate"),
    [
        ((PRESS, CLOSE), (200, None), [("cancelled", "complete", None)]),
        ((CLOSE, PRESS), (406, "player_unavailable"), []),
    ],
)
async def test_serves_a_command_before_or_after_the_close(world: Any, order: Any, answer: Any, fate: Any) -> None:
    await world.opened()
    requests = {PRESS: world.press, CLOSE: world.closes}
    answers = dict(zip(order, await _one_after_another(world, *map(requests.__getitem__, order)), strict=True))
    assert (answers[PRESS].status, answers[PRESS].code) == answer
    assert await _fates(world) == fate


@pytest.mark.parametrize(
    ("order", "answer", "fate"),
    [
        ((REPORT, CLOSE), (200, None), [("applied", None, None)]),
        ((CLOSE, REPORT), (410, "player_closed"), [("cancelled", "complete", None)]),
    ],
)
async def test_takes_a_result_before_the_close_only(world: Any, order: Any, answer: Any, fate: Any) -> None:
    await world.opened()
    await world.press()
    await world.pulls()
    requests = {REPORT: lambda: world.reports(1, applied_seq=1), CLOSE: world.closes}
    answers = dict(zip(order, await _one_after_another(world, *map(requests.__getitem__, order)), strict=True))
    assert (answers[REPORT].status, answers[REPORT].code) == answer
    assert await _fates(world) == fate
    (times,) = await world.rows(
        "SELECT settled_at <= closed_at AS is_in_time FROM commands.commands JOIN players.players USING (player_id)"
    )
    assert times["is_in_time"]


async def test_takes_a_result_for_late_that_came_while_the_command_expired(world: Any) -> None:
    await world.opened()
    await world.press("pause")
    await world.pulls()
    await world.pass_time(seconds=15)
    async with world.music.context.db.transaction() as tx:
        assert await queries.mark_expired(tx, limit=10) == ["pause"]
        report = asyncio.create_task(world.reports(1, applied_seq=1))
        await until(lambda: _are_waiting(tx, 1))
    assert (await report).status == 200
    assert await _fates(world) == [("expired", None, "applied")]


async def test_expires_or_takes_results_of_many_at_once(world: Any) -> None:
    await world.opened()
    for _ in range(8):
        await world.press()
    await world.pulls()
    await world.pass_time(seconds=14.9)
    reports = [world.reports(seq, applied_seq=seq) for seq in range(1, 9)]
    await asyncio.gather(*reports, *(world.runs("music.commands.expire") for _ in range(4)))
    await world.pass_time(seconds=1)
    await world.runs("music.commands.expire")
    fates = await _fates(world)
    assert {status for status, _, _ in fates} <= {"applied", "expired", "failed"}
    applied = await world.rows("SELECT seq FROM commands.commands WHERE status = 'applied' ORDER BY settled_at, seq")
    assert applied == sorted(applied, key=lambda row: row["seq"])


async def test_leaves_nothing_open_when_32_commands_meet_the_close(world: Any) -> None:
    await world.opened()
    await world.configured(MUSIC_COMMANDS={"limit": 100})
    presses = [world.press() for _ in range(32)]
    _, *answers = await asyncio.gather(world.closes(), *presses)
    accepted = [answer for answer in answers if answer.status == 200]
    # 503 says that nothing was done: so many in one line may be too slow for a busy machine.
    assert {answer.status for answer in answers} <= {200, 406, 503}
    assert await _fates(world) == [("cancelled", "complete", None)] * len(accepted)


async def test_gives_a_command_to_one_pull_or_report_as_well_as_to_many(world: Any) -> None:
    await world.opened()
    await world.press()
    answers = await asyncio.gather(*(world.pulls() for _ in range(8)), *(world.reports() for _ in range(8)))
    assert [[each["seq"] for each in answer.body["commands"]] for answer in answers] == [[1]] * 16
    assert await _fates(world) == [("delivered", None, None)]
