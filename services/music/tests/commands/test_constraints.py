"""What the database itself holds of commands, whoever writes to it."""

from typing import Any

import pytest

from kit import pg

PLAYER = "player-of-order-1"
UPDATE = "UPDATE commands.commands SET {} WHERE player_id = 'player-of-order-1' AND seq = {}"
FINAL = {
    "applied": "status = 'applied', settled_at = now()",
    "failed": "status = 'failed', reason = 'no_licence', settled_at = now()",
    "superseded": "status = 'superseded', settled_at = now()",
    "cancelled": "status = 'cancelled', reason = 'complete', settled_at = now()",
    "expired": "status = 'expired', settled_at = expires_at",
}
DELIVERED = "status = 'delivered', delivered_at = now()"


async def _issue(world: Any, seq: int, *, order_id: str = "order-1", **changed: Any) -> None:
    row = {"status": "queued", "command_id": f"command-{seq}"} | changed
    await world.execute(
        "INSERT INTO commands.commands "
        "(player_id, order_id, seq, command_id, action, args, version, status, created_at, expires_at) "
        "VALUES (%(player)s, %(order_id)s, %(seq)s, %(command_id)s, 'next', '{}', 1, %(status)s, now(), "
        "now() + interval '15 s')",
        player=PLAYER,
        order_id=order_id,
        seq=seq,
        **row,
    )


async def _issued(world: Any, last_seq: int) -> None:
    await world.opened()
    await world.execute("UPDATE players.players SET last_seq = %(last_seq)s", last_seq=last_seq)
    for seq in range(1, last_seq + 1):
        await _issue(world, seq)


async def _refused(world: Any, move: str, seq: int = 1) -> str:
    with pytest.raises((pg.RaisedByTrigger, pg.CheckViolation)) as refused:
        await world.execute(UPDATE.format(move, seq))
    return str(refused.value.constraint)


@pytest.mark.parametrize("status", sorted(FINAL))
async def test_lets_no_command_leave_its_final_status(world: Any, status: str) -> None:
    await _issued(world, 1)
    await world.execute(UPDATE.format(FINAL[status], 1))
    for other in sorted(FINAL.keys() - {status}):
        assert await _refused(world, FINAL[other]) == "commands_final_is_final", other
    assert await _refused(world, "status = 'queued', settled_at = NULL, reason = NULL") == "commands_final_is_final"
    assert await _refused(world, DELIVERED + ", settled_at = NULL, reason = NULL") == "commands_final_is_final"
    assert await _refused(world, "settled_at = settled_at + interval '1 s'") == "commands_final_is_final"
    await world.execute(UPDATE.format("late_result = 'applied', late_at = now()", 1))


async def test_neither_supersedes_nor_takes_back_what_is_delivered(world: Any) -> None:
    await _issued(world, 1)
    await world.execute(UPDATE.format(DELIVERED, 1))
    assert await _refused(world, FINAL["superseded"]) == "commands_legal_move"
    assert await _refused(world, "status = 'queued', delivered_at = NULL") == "commands_legal_move"
    await world.execute(UPDATE.format(FINAL["applied"], 1))


async def test_applies_in_the_order_of_issue_only(world: Any) -> None:
    await _issued(world, 3)
    await world.execute(UPDATE.format(FINAL["applied"], 2))
    assert await _refused(world, FINAL["applied"], 1) == "commands_applied_in_order"
    await world.execute(UPDATE.format(FINAL["failed"], 1))
    await world.execute(UPDATE.format(FINAL["applied"], 3))
    assert await world.rows("SELECT applied_seq FROM players.players") == [{"applied_seq": 3}]


async def test_applies_several_in_one_statement(world: Any) -> None:
    await _issued(world, 8)
    assert await world.execute(f"UPDATE commands.commands SET {FINAL['applied']}") == 8
    assert await world.rows("SELECT applied_seq FROM players.players") == [{"applied_seq": 8}]


async def test_applies_nothing_to_a_closed_player(world: Any) -> None:
    await _issued(world, 1)
    close = "UPDATE players.players SET status = 'closed', close_reason = 'x', closed_at = now()"
    with pytest.raises(pg.RaisedByTrigger) as refused:
        await world.execute(f"{close}; {UPDATE.format(FINAL['applied'], 1)}")
    assert refused.value.constraint == "commands_applied_while_active"


async def test_closes_no_player_that_has_open_commands(world: Any) -> None:
    await _issued(world, 1)
    close = "UPDATE players.players SET status = 'closed', close_reason = 'x', closed_at = now()"
    with pytest.raises(pg.RaisedByTrigger) as refused:
        await world.execute(close)
    assert refused.value.constraint == "commands_closed_has_none_open"
    async with world.music.context.db.transaction() as tx:
        await tx.run(close)
        await tx.run(UPDATE.format(FINAL["cancelled"], 1))
    assert await world.rows("SELECT status FROM players.players") == [{"status": "closed"}]


@pytest.mark.parametrize(
    ("seq", "changed", "constraint"),
    [
        (1, {}, "commands_count_upwards"),
        (2, {}, "commands_count_upwards"),
        (3, {"order_id": "order-2"}, "commands_begin_queued"),
        (3, {"status": "delivered"}, "commands_begin_queued"),
        (3, {"command_id": "command-1"}, "commands_once_per_order"),
        (0, {}, "commands_count_upwards"),
    ],
)
async def test_issues_no_command_out_of_line(world: Any, seq: int, changed: Any, constraint: str) -> None:
    await _issued(world, 2)
    with pytest.raises((pg.RaisedByTrigger, pg.UniqueViolation)) as refused:
        await _issue(world, seq, **changed)
    assert refused.value.constraint == constraint


async def test_issues_nothing_to_a_closed_player(world: Any) -> None:
    await world.opened()
    await world.execute("UPDATE players.players SET status = 'closed', close_reason = 'x', closed_at = now()")
    with pytest.raises(pg.RaisedByTrigger) as refused:
        await _issue(world, 1)
    assert refused.value.constraint == "commands_to_active_player"


@pytest.mark.parametrize(
    ("move", "constraint"),
    [
        ("status = 'applied', settled_at = expires_at", "commands_applied_in_time"),
        ("status = 'expired', settled_at = now()", "commands_expired_not_early"),
        ("status = 'failed', settled_at = now()", "commands_reason_of_failure"),
        ("status = 'applied'", "commands_settled_is_final"),
        ("status = 'delivered'", "commands_delivered_at_some_time"),
        ("late_result = 'applied', late_at = now()", "commands_late_after_settled"),
        ("args = '{\"volume\": 1}'", "commands_identity"),
        ("expires_at = expires_at + interval '1 s'", "commands_identity"),
        ("seq = 2", "commands_identity"),
    ],
)
async def test_keeps_a_command_whole(world: Any, move: str, constraint: str) -> None:
    await _issued(world, 1)
    assert await _refused(world, move) == constraint


async def test_forgets_commands_with_their_player(world: Any) -> None:
    await _issued(world, 2)
    await world.execute("DELETE FROM players.players")
    assert await world.rows("SELECT * FROM commands.commands") == []
