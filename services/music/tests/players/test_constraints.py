"""What the database refuses whatever the code above it does."""

from typing import Any

import pytest

from kit import pg


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("version = version - 1", "players_grow"),
        ("last_seq = 2", "players_grow"),
        ("applied_seq = 1", "players_grow"),
        ("order_id = 'order-2'", "players_identity"),
        ("yandex_uid = '4002'", "players_identity"),
        ("driver_profile_id = 'driver-2'", "players_identity"),
    ],
)
async def test_never_counts_backwards_and_keeps_its_people(world: Any, change: str, constraint: str) -> None:
    await world.opened()
    await world.execute("UPDATE players.players SET version = 7, last_seq = 3, applied_seq = 2")
    with pytest.raises(pg.RaisedByTrigger) as refused:
        await world.execute(f"UPDATE players.players SET {change}")
    assert refused.value.constraint == constraint


@pytest.mark.parametrize(
    "change", ["status = 'active', close_reason = NULL, closed_at = NULL", "version = version + 1"]
)
async def test_keeps_a_closed_player_as_it_is(world: Any, change: str) -> None:
    await world.opened()
    await world.execute("UPDATE players.players SET status = 'closed', close_reason = 'idle', closed_at = now()")
    with pytest.raises(pg.RaisedByTrigger) as refused:
        await world.execute(f"UPDATE players.players SET {change}")
    assert refused.value.constraint == "players_closed_is_final"


@pytest.mark.parametrize(
    "change",
    [
        "applied_seq = 1",
        "status = 'closed'",
        "close_reason = 'idle'",
        "state = '{}'",
        "device_session = 's'",
        "connection = 'gone'",
    ],
)
async def test_refuses_half_a_player(world: Any, change: str) -> None:
    await world.opened()
    with pytest.raises(pg.CheckViolation):
        await world.execute(f"UPDATE players.players SET {change}")
