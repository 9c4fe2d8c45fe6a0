"""A player that closes takes its commands and tokens with it, and an idle one closes by itself."""

import asyncio
from typing import Any

import pytest

HOURS = 3600


async def _command(world: Any, status: str = "queued") -> None:
    """An accepted command of the only player."""
    await world.execute("UPDATE players.players SET last_seq = 1")
    await world.execute(
        """INSERT INTO commands.commands
               (player_id, order_id, seq, command_id, action, args, version, created_at, expires_at)
           SELECT player_id, order_id, 1, 'command-1', 'play', '{}', version, now(), now() + interval '15 s'
           FROM players.players"""
    )
    if status == "delivered":
        await world.execute("UPDATE commands.commands SET status = 'delivered', delivered_at = now()")


async def _fate(world: Any) -> tuple[str, str]:
    row = await world.music.context.db.one(dict, "SELECT status, reason FROM commands.commands")
    return row["status"], row["reason"]


async def _granted(world: Any) -> None:
    """A token of the only player."""
    await world.execute(
        """INSERT INTO tokens.grants (grant_id, player_id, order_id, ttl_s)
           SELECT 'grant-1', player_id, order_id, 600 FROM players.players"""
    )


@pytest.mark.parametrize("status", ["queued", "delivered"])
async def test_cancels_open_commands_when_the_driver_changes(processing: Any, status: str) -> None:
    await processing.assigned(1)
    await _command(processing.world, status)
    await processing.assigned(2, "driver-2")
    assert await _fate(processing.world) == ("cancelled", "driver_changed")


async def test_cancels_open_commands_when_the_order_ends(messages: Any) -> None:
    await messages.assigned(1)
    await _command(messages.world)
    await messages.finished(2, reason="completed")
    assert await _fate(messages.world) == ("cancelled", "completed")


@pytest.mark.parametrize("how", ["another driver", "end", "no music"])
async def test_has_the_token_revoked(processing: Any, how: str) -> None:
    await processing.assigned(1)
    await _granted(processing.world)
    match how:
        case "another driver":
            await processing.assigned(2, "driver-2")
        case "end":
            await processing.finished(2)
        case "no music":
            await processing.assigned(2, flags=["phonish"])
    revoked = processing.world.neighbours.music_backend.on("DELETE", "/v1/temporary-tokens/grant-1", answer={})
    assert await processing.world.music.run_task("music.token.revoke") == ["done"]
    assert len(revoked.calls) == 1


async def test_orders_no_revocation_where_no_token_can_be_good(processing: Any) -> None:
    await processing.assigned(1)
    await processing.finished(2)
    assert await processing.world.music.run_task("music.token.revoke") == []


async def test_closes_a_player_that_nobody_touched_for_six_hours(processing: Any) -> None:
    world = processing.world
    await processing.assigned()
    await _command(world)
    await _granted(world)
    await world.pass_time("players", seconds=6 * HOURS - 60)
    assert await world.runs("music.players.close_idle") == ["done"]
    assert await processing.active() == ["driver-1"]
    await world.pass_time("players", seconds=61)
    assert await world.runs("music.players.close_idle") == ["done"]
    assert await processing.players() == [("driver-1", "idle")]
    assert await _fate(world) == ("cancelled", "idle")
    world.neighbours.music_backend.on("DELETE", "/v1/temporary-tokens/grant-1", answer={})
    assert await world.music.run_task("music.token.revoke") == ["done"]


async def test_keeps_a_player_that_was_touched_lately(processing: Any) -> None:
    await processing.assigned()
    await processing.world.pass_time("players", hours=7)
    await processing.world.execute("UPDATE players.players SET touched_at = now()")
    assert await processing.world.runs("music.players.close_idle") == ["done"]
    assert await processing.active() == ["driver-1"]


async def test_closes_as_soon_as_the_config_says(processing: Any) -> None:
    await processing.world.configured(MUSIC_PLAYERS={"idle_after_s": 60})
    await processing.assigned()
    await processing.world.pass_time("players", seconds=61)
    assert await processing.world.runs("music.players.close_idle") == ["done"]
    assert await processing.players() == [("driver-1", "idle")]


async def test_closes_many_idle_players(processing: Any) -> None:
    await processing.world.execute(
        """INSERT INTO players.players (player_id, order_id, yandex_uid, park_id, driver_profile_id, touched_at)
           SELECT 'p' || n, 'o' || n, '4001', 'park', 'd', now() - interval '7 h' FROM generate_series(1, 250) AS n"""
    )
    assert await processing.world.runs("music.players.close_idle") == ["done"]
    assert await processing.world.execute("DELETE FROM players.players WHERE status = 'active'") == 0


async def test_leaves_an_idle_player_to_whom_is_busy_with_it(processing: Any) -> None:
    world = processing.world
    await processing.assigned()
    await world.pass_time("players", hours=7)
    async with world.music.context.db.transaction() as tx:
        await tx.run("UPDATE players.players SET touched_at = now()")
        assert await asyncio.create_task(world.runs("music.players.close_idle")) == ["done"]
    assert await processing.active() == ["driver-1"]


async def test_forgets_an_order_after_thirty_days(processing: Any) -> None:
    world = processing.world
    await processing.assigned(1)
    await processing.finished(2)
    await world.pass_time(days=29)
    assert await world.runs("music.orders.purge") == ["done"]
    assert await processing.reason() is None
    await world.pass_time(days=2)
    assert await world.runs("music.orders.purge") == ["done"]
    assert await world.execute("DELETE FROM orders.orders") == 0


async def test_remembers_an_order_whose_player_is_active(processing: Any) -> None:
    await processing.assigned()
    await processing.world.pass_time(days=31)
    assert await processing.world.runs("music.orders.purge") == ["done"]
    assert await processing.world.execute("DELETE FROM orders.orders") == 1
