"""What the database refuses of grants whatever the code above it does."""

from typing import Any

import pytest

from kit import pg


async def _granted(world: Any) -> None:
    await world.opened()
    await _inserts(world)


async def _inserts(world: Any, grant_id: str = "grant-1") -> None:
    await world.execute(
        """INSERT INTO tokens.grants (grant_id, player_id, order_id, ttl_s)
           VALUES (%(grant_id)s, 'player-of-order-1', 'order-1', 600)""",
        grant_id=grant_id,
    )


@pytest.mark.parametrize(
    ("before", "change", "constraint"),
    [
        ("issued_at = NULL", "order_id = 'order-2'", "grants_identity"),
        ("issued_at = NULL", "ttl_s = 60", "grants_identity"),
        ("issued_at = NULL", "asked_at = now() + interval '1 s'", "grants_identity"),
        ("revoked_at = now()", "revoked_at = NULL", "grants_revoked_is_final"),
        ("issued_at = now(), expires_at = now()", "issued_at = now() + interval '1 s'", "grants_issued_once"),
        ("issued_at = now(), expires_at = now()", "issued_at = NULL, expires_at = NULL", "grants_issued_once"),
    ],
)
async def test_keeps_a_grant_as_it_was(world: Any, before: str, change: str, constraint: str) -> None:
    await _granted(world)
    await world.execute(f"UPDATE tokens.grants SET {before}")
    with pytest.raises(pg.RaisedByTrigger) as refused:
        await world.execute(f"UPDATE tokens.grants SET {change}")
    assert refused.value.constraint == constraint


@pytest.mark.parametrize("change", ["issued_at = now()", "expires_at = now()"])
async def test_refuses_half_an_answer(world: Any, change: str) -> None:
    await _granted(world)
    with pytest.raises(pg.CheckViolation) as refused:
        await world.execute(f"UPDATE tokens.grants SET {change}")
    assert refused.value.constraint == "grants_issued_expire"


async def test_grants_nothing_to_a_closed_player(world: Any) -> None:
    await world.opened()
    await world.execute("UPDATE players.players SET status = 'closed', close_reason = 'idle', closed_at = now()")
    with pytest.raises(pg.RaisedByTrigger) as refused:
        await _inserts(world)
    assert refused.value.constraint == "grants_of_active_player"


async def test_has_no_place_for_a_token(world: Any) -> None:
    columns = await world.music.context.db.all(
        pg.value, "SELECT column_name FROM information_schema.columns WHERE table_schema = 'tokens'"
    )
    assert sorted(columns) == sorted(
        ["grant_id", "player_id", "order_id", "ttl_s", "asked_at", "issued_at", "expires_at", "revoked_at"]
    )
