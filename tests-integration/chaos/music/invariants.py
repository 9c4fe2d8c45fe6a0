"""What must always hold of music, read from its database; each answers what is wrong."""

from chaos.stage import Stage
from kit import pg

_BROKEN = {
    "two active players of one order": """
        SELECT order_id FROM players.players WHERE status = 'active' GROUP BY order_id HAVING count(*) > 1""",
    "applied in another order than issued": """
        SELECT a.command_id FROM commands.commands a JOIN commands.commands b USING (player_id)
        WHERE a.status = 'applied' AND b.status = 'applied' AND a.seq < b.seq AND a.settled_at > b.settled_at""",
    "applied beyond what the player says": """
        SELECT c.command_id FROM commands.commands c JOIN players.players p USING (player_id)
        WHERE c.status = 'applied' AND c.seq > p.applied_seq""",
    "applied after the player was closed": """
        SELECT c.command_id FROM commands.commands c JOIN players.players p USING (player_id)
        WHERE c.status = 'applied' AND c.settled_at > p.closed_at""",
    "open though its time is over by more than 5 s": """
        SELECT command_id FROM commands.commands
        WHERE status IN ('queued', 'delivered') AND expires_at < now() - interval '5 s'""",
    "settled more than 5 s after its time": """
        SELECT command_id FROM commands.commands WHERE settled_at > expires_at + interval '5 s'""",
    "settled without a time, or open with one": """
        SELECT command_id FROM commands.commands
        WHERE (status IN ('queued', 'delivered')) <> (settled_at IS NULL)""",
    "open on a closed player": """
        SELECT c.command_id FROM commands.commands c JOIN players.players p USING (player_id)
        WHERE c.status IN ('queued', 'delivered') AND p.status = 'closed'""",
    "a number without its command": """
        SELECT p.order_id FROM players.players p GROUP BY p.order_id
        HAVING max(p.last_seq) <> (SELECT count(*) FROM commands.commands c WHERE c.order_id = p.order_id)""",
    "a number of two commands": """
        SELECT order_id FROM commands.commands GROUP BY order_id, seq HAVING count(*) > 1""",
    "two players of an order with one version": """
        SELECT order_id FROM players.players GROUP BY order_id, version HAVING count(*) > 1""",
    "a player of an order that has ended": """
        SELECT p.player_id FROM players.players p JOIN orders.orders o USING (order_id)
        WHERE p.status = 'active' AND o.event = 'finished'""",
    "a player of another driver than the order's": """
        SELECT p.player_id FROM players.players p JOIN orders.orders o USING (order_id)
        WHERE p.status = 'active'
        AND (p.park_id, p.driver_profile_id) IS DISTINCT FROM (o.park_id, o.driver_profile_id)""",
    "a token left to a closed player": """
        SELECT g.grant_id FROM tokens.grants g JOIN players.players p USING (player_id)
        WHERE p.status = 'closed' AND g.revoked_at IS NULL""",
    "a task that died": "SELECT queue || ' ' || task_id FROM stq.tasks WHERE state = 'dead'",
}
_ACCEPTED = """
SELECT order_id, command_id, seq::text FROM commands.commands WHERE order_id = ANY (%(orders)s::text[])
"""


def _triple(**row: str) -> tuple[str, str, str]:
    first, second, third = row.values()
    return first, second, third


async def broken(stage: Stage) -> list[str]:
    """Every invariant that does not hold now; none is well."""
    db = stage.databases["music"]
    wrong = [f"{what}: {rows}" for what, sql in _BROKEN.items() if (rows := await db.all(pg.value, sql))]
    return [*wrong, *await _promises(stage, db)]


async def _promises(stage: Stage, db: pg.Database) -> list[str]:
    """Each command that was answered 2xx is there, with the number that was told."""
    accepted = stage.world.accepted
    rows = await db.all(_triple, _ACCEPTED, orders=sorted({order_id for order_id, _ in accepted}))
    found = {(order_id, command_id): int(seq) for order_id, command_id, seq in rows}
    return [
        f"command {command_id} of {order_id} was accepted as {seq} and is {found.get((order_id, command_id))}"
        for (order_id, command_id), seq in accepted.items()
        if found.get((order_id, command_id)) != seq
    ]
