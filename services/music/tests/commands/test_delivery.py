"""Pushes, expiry and history: what happens to a command that nobody answers, and to one that somebody does."""

import asyncio
import re
from typing import Any

import pytest

from kit import metrics
from testkit import neighbours as mocks
from testkit.waiting import until

PUSH = "music.command.push"
COMMANDS = "SELECT * FROM commands.commands ORDER BY seq"
NEXT_PUSHES = """
SELECT kwargs, extract(epoch FROM due_at - now())::float8 AS due_in_s FROM stq.tasks
WHERE queue = 'music.command.push' AND state = 'waiting'
"""


def _pushed(neighbours: mocks.Neighbours) -> list[Any]:
    return [call.json for call in neighbours.communications.calls()]


async def _statuses(world: Any) -> list[str]:
    return [row["status"] for row in await world.rows(COMMANDS)]


async def test_pushes_that_there_are_commands(world: Any, neighbours: mocks.Neighbours) -> None:
    await world.opened()
    counted = metrics.value("music_pushes_total", outcome="sent")
    await world.press("play")
    await world.press("next")
    assert await world.music.run_task(PUSH) == ["done", "done"]
    assert _pushed(neighbours) == [
        {
            "park_id": "park-1",
            "driver_profile_id": "driver-1",
            "code": "music_commands",
            "ttl_s": 15,
            "idempotency_token": f"player-of-order-1-{seq}-1",
            "payload": {"order_id": "order-1", "player_id": "player-of-order-1", "up_to_seq": 2},
        }
        for seq in (1, 2)
    ]
    assert metrics.value("music_pushes_total", outcome="sent") == counted + 2


async def test_pushes_again_until_the_command_is_settled(world: Any, neighbours: mocks.Neighbours) -> None:
    await world.opened()
    await world.press("play")
    delays = []
    for attempt in range(1, 4):
        assert await world.music.run_task(PUSH) == ["done"]
        (following,) = await world.rows(NEXT_PUSHES)
        assert following["kwargs"]["attempt"] == attempt + 1
        delays.append(following["due_in_s"])
        await world.pass_time("stq", seconds=4)
    assert delays == [pytest.approx(expected, abs=0.3) for expected in (0.5, 1, 2)]
    await world.reports(1, applied_seq=1)
    assert await world.music.run_task(PUSH) == ["done"]
    assert await world.rows(NEXT_PUSHES) == []
    assert len(_pushed(neighbours)) == 3


async def test_looks_for_the_last_time_right_after_the_expiry(world: Any, neighbours: mocks.Neighbours) -> None:
    await world.opened()
    await world.configured(MUSIC_COMMANDS={"lifetime_s": 1})
    await world.press("play")
    await world.pass_time("commands", seconds=0.8)
    await world.music.run_task(PUSH)
    (following,) = await world.rows(NEXT_PUSHES)
    assert 0 < following["due_in_s"] < 0.3
    await world.pass_time("commands", "stq", seconds=1)
    assert await world.music.run_task(PUSH) == ["done"]
    assert await _statuses(world) == ["expired"]
    assert len(_pushed(neighbours)) == 1
    assert await world.rows(NEXT_PUSHES) == []


@pytest.mark.parametrize(("status", "outcome"), [(503, "unavailable"), (400, "refused"), (500, "failed")])
async def test_goes_on_without_communications(
    world: Any, neighbours: mocks.Neighbours, status: int, outcome: str
) -> None:
    neighbours.communications.on("POST", "/v1/driver-push", answer={"code": "x", "message": ""}, status=status)
    await world.opened()
    await world.press("play")
    counted = metrics.value("music_pushes_total", outcome=outcome)
    assert await world.music.run_task(PUSH) == ["done"]
    assert metrics.value("music_pushes_total", outcome=outcome) == counted + 1
    assert len(await world.rows(NEXT_PUSHES)) == 1


async def test_pushes_nothing_of_a_player_that_is_gone(world: Any, neighbours: mocks.Neighbours) -> None:
    await world.opened()
    await world.press("play")
    await world.closes()
    await world.press("play")
    await world.execute("DELETE FROM players.players")
    assert await world.music.run_task(PUSH) == ["done"]
    assert _pushed(neighbours) == []


async def test_tells_the_passenger_of_what_expired(world: Any) -> None:
    await world.opened()
    counted = metrics.value("music_commands_total", action="pause", status="expired")
    first, last = await world.press("play"), await world.press("pause")
    await world.runs("music.commands.expire")
    assert await _statuses(world) == ["queued", "queued"]
    await world.pass_time(seconds=15)
    await world.runs("music.commands.expire")
    assert await _statuses(world) == ["expired", "expired"]
    shown = {"command_id": last.body["command_id"], "code": "expired"}
    versions = await world.rows("SELECT version, last_error FROM players.players")
    assert versions == [{"version": 4, "last_error": shown}]
    assert metrics.value("music_commands_total", action="pause", status="expired") == counted + 1
    await world.runs("music.commands.expire")
    assert await world.rows("SELECT version, last_error FROM players.players") == versions
    assert first.status == (await world.press("play")).status == 200
    assert await world.rows("SELECT version, last_error FROM players.players") == [{"version": 5, "last_error": None}]


async def test_expires_on_many_players_at_once(world: Any) -> None:
    for number in range(3):
        await world.opened(f"order-{number}")
        await world.press("play", order_id=f"order-{number}")
    await world.pass_time(seconds=14)
    await world.press("next", order_id="order-2")
    await world.pass_time(seconds=1)
    await world.runs("music.commands.expire")
    rows = await world.rows("SELECT order_id, status FROM commands.commands ORDER BY order_id, seq")
    assert [(row["order_id"][-1], row["status"]) for row in rows] == [
        ("0", "expired"),
        ("1", "expired"),
        ("2", "expired"),
        ("2", "queued"),
    ]
    assert {row["version"] for row in await world.rows("SELECT version FROM players.players")} == {3, 4}


async def test_passes_over_a_player_that_somebody_is_changing(world: Any) -> None:
    await world.opened()
    await world.press("play")
    await world.pass_time(seconds=15)
    async with world.music.context.db.transaction() as tx:
        await tx.run("SELECT FROM players.players FOR UPDATE")
        await asyncio.create_task(world.runs("music.commands.expire"))
    assert await _statuses(world) == ["queued"]
    await world.runs("music.commands.expire")
    assert await _statuses(world) == ["expired"]


async def test_finds_what_is_due_by_its_index(world: Any) -> None:
    async with world.music.context.db.transaction() as tx:
        await tx.run("SET LOCAL enable_seqscan = off")
        plan = await tx.all(
            dict, "EXPLAIN SELECT FROM commands.commands WHERE settled_at IS NULL AND expires_at <= now() LIMIT 9"
        )
    assert "commands_open" in str(plan)


async def test_shows_support_every_command_with_its_fate(world: Any) -> None:
    await world.opened()
    await world.press("play")
    await world.press("next")
    await world.reports(1, applied_seq=1)
    await world.closes("driver_changed")
    await world.execute(
        "INSERT INTO players.players (player_id, order_id, yandex_uid, park_id, driver_profile_id) "
        "VALUES ('second', 'order-1', '4001', 'park-2', 'driver-2')"
    )
    await world.press("pause")
    path = "/internal/music/v1/player/history?order_id="
    answer = await world.music.ask("support", "GET", f"{path}order-1")
    assert answer.status == 200
    first, second = answer.body["players"]
    assert (first["status"], first["close_reason"], first["driver_profile_id"]) == (
        "closed",
        "driver_changed",
        "driver-1",
    )
    assert [(each["seq"], each["action"], each["status"], each["reason"]) for each in first["commands"]] == [
        (1, "play", "applied", None),
        (2, "next", "cancelled", "driver_changed"),
    ]
    assert re.fullmatch(r"[-0-9]+T[0-9:.]+\+00:00", first["commands"][0]["settled_at"])
    assert [(each["action"], each["status"]) for each in second["commands"]] == [("pause", "queued")]
    unknown = await world.music.ask("support", "GET", f"{path}nowhere")
    assert unknown.body == {"players": []}
    stranger = await world.music.ask("processing", "GET", f"{path}order-1")
    assert (stranger.status, stranger.code) == (403, "caller_not_allowed")


async def test_shows_support_the_last_200_commands(world: Any) -> None:
    await world.opened()
    await world.execute(
        "INSERT INTO commands.commands "
        "(player_id, order_id, seq, command_id, action, args, version, created_at, expires_at) "
        "SELECT 'player-of-order-1', 'order-1', n, n::text, 'next', '{}', n, now(), now() + interval '15 s' "
        "FROM generate_series(1, 203) n"
    )
    answer = await world.music.ask("support", "GET", "/internal/music/v1/player/history?order_id=order-1")
    (player,) = answer.body["players"]
    assert [each["seq"] for each in player["commands"]] == list(range(4, 204))


async def test_works_its_pushes_by_itself(world: Any, neighbours: mocks.Neighbours) -> None:
    """The bell rings with the commit: nobody waits for the sweeper."""
    await world.opened()
    await world.press("play")
    assert await until(lambda: PUSH in world.music.context.queue.broker.bells)
