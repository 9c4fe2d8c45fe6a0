"""What time does to players: lost, counted, forgotten."""

import asyncio
from typing import Any

from kit import metrics, pg
from testkit.waiting import until


async def _connection(world: Any) -> tuple[str, int]:
    row = await world.music.context.db.one(dict, "SELECT connection, version FROM players.players")
    return row["connection"], row["version"]


async def _reported(world: Any) -> None:
    """The taximeter says something."""
    await world.execute(
        """UPDATE players.players SET connection = 'online', reported_at = now(), device_session = 's', report_seq = 1,
               version = version + 1"""
    )


async def test_loses_a_taximeter_that_never_reported(world: Any) -> None:
    await world.opened()
    await world.pass_time("players", seconds=44)
    assert await world.runs("music.players.lose") == ["done"]
    assert await _connection(world) == ("connecting", 1)
    await world.pass_time("players", seconds=2)
    assert await world.runs("music.players.lose") == ["done"]
    assert await _connection(world) == ("lost", 2)


async def test_loses_a_taximeter_that_is_not_heard_of_any_more(world: Any) -> None:
    await world.opened()
    await world.pass_time("players", seconds=60)
    await _reported(world)
    assert await world.runs("music.players.lose") == ["done"]
    assert await _connection(world) == ("online", 2)
    await world.pass_time("players", seconds=46)
    assert await world.runs("music.players.lose") == ["done"]
    assert await _connection(world) == ("lost", 3)


async def test_tells_of_a_loss_once(world: Any) -> None:
    await world.opened()
    await world.pass_time("players", seconds=46)
    for _ in range(3):
        assert await world.runs("music.players.lose") == ["done"]
    assert await _connection(world) == ("lost", 2)


async def test_loses_as_soon_as_the_config_says(world: Any) -> None:
    await world.configured(MUSIC_PLAYERS={"lost_after_s": 5})
    await world.opened()
    await world.pass_time("players", seconds=6)
    assert await world.runs("music.players.lose") == ["done"]
    assert await _connection(world) == ("lost", 2)


async def test_does_not_lose_a_closed_player(world: Any) -> None:
    await world.opened()
    await world.execute("UPDATE players.players SET status = 'closed', close_reason = 'idle', closed_at = now()")
    await world.pass_time("players", minutes=5)
    assert await world.runs("music.players.lose") == ["done"]
    assert await _connection(world) == ("connecting", 1)


async def test_does_not_lose_a_taximeter_that_is_reporting(world: Any) -> None:
    await world.opened()
    await world.pass_time("players", seconds=60)
    async with world.music.context.db.transaction() as tx:
        await tx.run("UPDATE players.players SET reported_at = now(), device_session = 's', report_seq = 1")
        assert await asyncio.create_task(world.runs("music.players.lose")) == ["done"]
    assert await world.runs("music.players.lose") == ["done"]
    assert await _connection(world) == ("connecting", 1)


async def test_loses_more_than_fit_in_one_batch(world: Any) -> None:
    await world.execute(
        """INSERT INTO players.players (player_id, order_id, yandex_uid, park_id, driver_profile_id, opened_at)
           SELECT 'p' || n, 'o' || n, '4001', 'park', 'd', now() - interval '1 h' FROM generate_series(1, 2100) AS n"""
    )
    assert await world.runs("music.players.lose") == ["done"]
    assert await world.execute("DELETE FROM players.players WHERE connection <> 'lost'") == 0


async def _kept(world: Any) -> list[str]:
    found: list[str] = await world.music.context.db.all(
        pg.value, "SELECT player_id FROM players.players ORDER BY player_id"
    )
    return found


async def test_forgets_a_player_thirty_days_after_it_closed(world: Any) -> None:
    await world.opened("order-1")
    await world.opened("order-2")
    await world.execute(
        """INSERT INTO tokens.grants (grant_id, player_id, order_id, ttl_s)
           VALUES ('g', 'player-of-order-1', 'order-1', 600)"""
    )
    await world.execute(
        """UPDATE players.players SET status = 'closed', close_reason = 'completed', closed_at = now()
           WHERE order_id = 'order-1'"""
    )
    await world.pass_time(days=29)
    assert await world.runs("music.players.purge") == ["done"]
    assert await _kept(world) == ["player-of-order-1", "player-of-order-2"]
    await world.pass_time(days=2)
    assert await world.runs("music.players.purge") == ["done"]
    assert await _kept(world) == ["player-of-order-2"]
    assert await world.execute("DELETE FROM tokens.grants") == 0


async def test_forgets_more_than_fit_in_one_batch(world: Any) -> None:
    await world.execute(
        """INSERT INTO players.players
               (player_id, order_id, yandex_uid, park_id, driver_profile_id, status, close_reason, closed_at)
           SELECT 'p' || n, 'o' || n, '4001', 'park', 'd', 'closed', 'idle', now() - interval '31 d'
           FROM generate_series(1, 450) AS n"""
    )
    assert await world.runs("music.players.purge") == ["done"]
    assert await _kept(world) == []


async def _shows(world: Any, **expected: int) -> None:
    assert await world.runs("music.players.count") == ["done"]

    def shown() -> bool:
        return all(metrics.value("music_players", connection=name) == n for name, n in expected.items())

    await until(shown)


async def test_shows_how_many_players_are_connected(world: Any) -> None:
    await world.opened("order-1")
    await world.opened("order-2")
    await world.opened("order-3")
    await world.execute("UPDATE players.players SET connection = 'lost' WHERE order_id = 'order-3'")
    await _shows(world, connecting=2, online=0, lost=1)
    await world.execute("UPDATE players.players SET connection = 'online' WHERE order_id = 'order-1'")
    await _shows(world, connecting=1, online=1, lost=1)
    await world.execute("UPDATE players.players SET status = 'closed', close_reason = 'idle', closed_at = now()")
    await _shows(world, connecting=0, online=0, lost=0)
