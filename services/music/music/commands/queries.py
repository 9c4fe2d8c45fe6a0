"""SQL of `commands.commands`; whoever moves commands holds the lock of their player's row."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from kit import pg
from music.commands import model
from music.players import model as players
from music.players.model import Action

# One statement for the player's next seq and version, the command that has them, and those that it makes pointless.
# The command so many numbers back tells whether the player is sent too much.
INSERT = """
WITH player AS (
    UPDATE players.players p
    SET last_seq = last_seq + 1, version = version + 1, last_error = NULL, touched_at = clock_timestamp()
    WHERE player_id = %(player_id)s AND NOT EXISTS (
        SELECT FROM commands.commands c
        WHERE c.player_id = p.player_id AND c.seq = p.last_seq + 1 - %(limit)s
          AND c.created_at > clock_timestamp() - make_interval(secs => %(limit_window_s)s))
    RETURNING player_id, order_id, last_seq, version
), superseded AS (
    UPDATE commands.commands c SET status = 'superseded', settled_at = statement_timestamp()
    FROM player p
    WHERE c.player_id = p.player_id AND c.settled_at IS NULL AND c.status = 'queued' AND c.action = %(action)s
      AND %(is_superseding)s
    RETURNING c.seq
)
INSERT INTO commands.commands AS c
    (player_id, order_id, seq, command_id, action, args, version, created_at, expires_at)
SELECT p.player_id, p.order_id, p.last_seq, %(command_id)s, %(action)s, %(args)s::jsonb, p.version,
       statement_timestamp(), statement_timestamp() + make_interval(secs => %(lifetime_s)s)
FROM player p
RETURNING c.command_id, c.seq, c.status, c.version, c.action, c.args, (SELECT count(*) FROM superseded) AS superseded
"""


async def insert(
    tx: pg.Transaction, player_id: str, asked: model.Asked, rules: model.Rules
) -> tuple[model.Accepted, int] | None:
    """The next command of a locked player, and how many it superseded; None when the player is sent too many.

    UniqueViolation when the order has this command_id.
    """
    return await tx.maybe(
        _accepted_with_superseded,
        INSERT,
        player_id=player_id,
        command_id=asked.command_id,
        action=asked.action,
        args=dict(asked.args),
        is_superseding=asked.action in model.SUPERSEDING,
        lifetime_s=rules.lifetime_of(asked.action),
        limit=rules.limit,
        limit_window_s=rules.limit_window_s,
    )


def _accepted_with_superseded(superseded: int, **row: Any) -> tuple[model.Accepted, int]:
    return _accepted(**row), superseded


def _accepted(*, action: str, status: str, **row: Any) -> model.Accepted:
    return model.Accepted(action=Action(action), status=model.Status(status), **row)


GET_ROOM_IN_S = """
SELECT extract(epoch FROM min(created_at) - clock_timestamp())::float8 + %(limit_window_s)s FROM (
    SELECT created_at FROM commands.commands WHERE player_id = %(player_id)s ORDER BY seq DESC LIMIT %(limit)s) last
"""


async def get_room_in_s(tx: pg.Transaction, player_id: str, rules: model.Rules) -> float:
    """Seconds until a player that was sent too many commands takes another one."""
    found: float = await tx.one(
        pg.value, GET_ROOM_IN_S, player_id=player_id, limit=rules.limit, limit_window_s=rules.limit_window_s
    )
    return found


FIND_ACCEPTED = """
SELECT c.command_id, c.seq, c.status, c.version, c.action, c.args
FROM commands.commands c JOIN players.players p USING (player_id)
WHERE c.order_id = %(order_id)s AND c.command_id = %(command_id)s AND p.yandex_uid = %(yandex_uid)s
"""


async def find_accepted(db: pg.Executor, asked: model.Asked) -> model.Accepted | None:
    """The command that has this id, as it stands now; None also when it is another passenger's."""
    return await db.maybe(
        _accepted, FIND_ACCEPTED, order_id=asked.order_id, command_id=asked.command_id, yandex_uid=asked.yandex_uid
    )


LIST_OPEN = """
SELECT seq, command_id, action, args, status, created_at, expires_at, statement_timestamp() AS read_at
FROM commands.commands WHERE player_id = %(player_id)s AND settled_at IS NULL ORDER BY seq
"""


async def list_open(db: pg.Executor, player_id: str) -> list[model.Open]:
    """What the player has not settled, in the order of issue."""
    return await db.all(_open, LIST_OPEN, player_id=player_id)


def _open(*, action: str, status: str, **row: Any) -> model.Open:
    return model.Open(action=Action(action), status=model.Status(status), **row)


MARK_DELIVERED = """
UPDATE commands.commands SET status = 'delivered', delivered_at = statement_timestamp()
WHERE player_id = %(player_id)s AND seq = ANY(%(seqs)s) AND status = 'queued'
"""


async def mark_delivered(tx: pg.Transaction, player_id: str, seqs: Sequence[int]) -> None:
    """Notes that queued commands are handed out."""
    await tx.run(MARK_DELIVERED, player_id=player_id, seqs=list(seqs))


MARK_SETTLED = """
UPDATE commands.commands c SET status = s.status, reason = s.reason, settled_at = %(at)s
FROM unnest(%(seqs)s::integer[], %(statuses)s::text[], %(reasons)s::text[]) AS s (seq, status, reason)
WHERE c.player_id = %(player_id)s AND c.seq = s.seq AND c.settled_at IS NULL
"""


async def mark_settled(tx: pg.Transaction, player_id: str, settlements: Sequence[model.Settlement]) -> None:
    """Ends open commands at the time at which they were read."""
    await tx.run(
        MARK_SETTLED,
        player_id=player_id,
        at=settlements[0].command.read_at,
        seqs=[each.command.seq for each in settlements],
        statuses=[each.status for each in settlements],
        reasons=[each.reason for each in settlements],
    )


MARK_LATE = """
UPDATE commands.commands c SET late_result = r.status, late_at = statement_timestamp()
FROM unnest(%(seqs)s::integer[], %(statuses)s::text[]) AS r (seq, status)
WHERE c.player_id = %(player_id)s AND c.seq = r.seq AND c.settled_at IS NOT NULL AND c.late_result IS NULL
  AND c.status <> r.status
"""


async def mark_late(tx: pg.Transaction, player_id: str, results: Sequence[model.Result]) -> None:
    """Writes beside final commands what the taximeter says of them now, once and only where it is something else."""
    await tx.run(
        MARK_LATE,
        player_id=player_id,
        seqs=[each.seq for each in results],
        statuses=[each.status for each in results],
    )


MARK_CANCELLED = """
UPDATE commands.commands SET status = 'cancelled', reason = %(reason)s, settled_at = statement_timestamp()
WHERE player_id = %(player_id)s AND settled_at IS NULL RETURNING action
"""


async def mark_cancelled(tx: pg.Transaction, player_id: str, reason: str) -> list[str]:
    """Ends what is open; the actions of these commands."""
    return await tx.all(pg.value, MARK_CANCELLED, player_id=player_id, reason=reason)


# A player that somebody is just changing is passed over: it is found again the next time.
MARK_EXPIRED = """
WITH due AS MATERIALIZED (
    SELECT player_id FROM commands.commands
    WHERE settled_at IS NULL AND expires_at <= statement_timestamp() ORDER BY expires_at LIMIT %(limit)s
), locked AS MATERIALIZED (
    SELECT player_id FROM players.players
    WHERE player_id = ANY(ARRAY(SELECT player_id FROM due)) AND status = 'active'
    ORDER BY player_id FOR UPDATE SKIP LOCKED
), expired AS (
    UPDATE commands.commands SET status = 'expired', settled_at = statement_timestamp()
    WHERE player_id = ANY(ARRAY(SELECT player_id FROM locked)) AND settled_at IS NULL
      AND expires_at <= statement_timestamp()
    RETURNING player_id, seq, command_id, action
), told AS (
    UPDATE players.players p
    SET version = version + 1, last_error = jsonb_build_object('command_id', e.command_id, 'code', 'expired')
    FROM (SELECT DISTINCT ON (player_id) player_id, command_id FROM expired ORDER BY player_id, seq DESC) e
    WHERE p.player_id = e.player_id
)
SELECT action FROM expired
"""


async def mark_expired(db: pg.Executor, *, limit: int) -> list[str]:
    """Ends what was not done in time, and says so to the passengers; the actions of at least `limit` if so many are."""
    return await db.all(pg.value, MARK_EXPIRED, limit=limit)


FIND_PUSH = """
SELECT p.player_id, p.order_id, p.park_id, p.driver_profile_id, p.last_seq,
       extract(epoch FROM c.expires_at - statement_timestamp())::float8 AS expires_in_s
FROM commands.commands c JOIN players.players p USING (player_id)
WHERE c.player_id = %(player_id)s AND c.seq = %(seq)s AND c.settled_at IS NULL
"""


async def find_push(db: pg.Executor, player_id: str, seq: int) -> model.Push | None:
    """What is to be pushed, None for a command that is settled or forgotten."""
    return await db.maybe(model.Push, FIND_PUSH, player_id=player_id, seq=seq)


LIST_PLAYERS = """
SELECT * FROM (
    SELECT player_id, park_id, driver_profile_id, status, close_reason, connection, opened_at, reported_at, closed_at
    FROM players.players WHERE order_id = %(order_id)s ORDER BY version DESC LIMIT %(limit)s) last
ORDER BY opened_at
"""


async def list_players(db: pg.Executor, order_id: str, *, limit: int) -> list[model.PlayerHistory]:
    """The last players of an order without their commands, the newest last."""
    return await db.all(_player, LIST_PLAYERS, order_id=order_id, limit=limit)


def _player(*, status: str, connection: str, **row: Any) -> model.PlayerHistory:
    return model.PlayerHistory(status=players.Status(status), connection=players.Connection(connection), **row)


LIST_FATES = """
SELECT c.player_id, c.seq, c.command_id, c.action, c.args, c.version, c.status, c.reason, c.created_at, c.expires_at,
       c.delivered_at, c.settled_at, c.late_result, c.late_at
FROM unnest(%(player_ids)s::text[]) AS p (player_id)
CROSS JOIN LATERAL (
    SELECT * FROM commands.commands c WHERE c.player_id = p.player_id ORDER BY seq DESC LIMIT %(limit)s) c
ORDER BY c.player_id, c.seq
"""


async def list_fates(db: pg.Executor, player_ids: Sequence[str], *, limit: int) -> Mapping[str, Sequence[model.Fate]]:
    """The last commands of each of these players, the newest last."""
    found = collections.defaultdict[str, list[model.Fate]](list)
    for player_id, fate in await db.all(_fate, LIST_FATES, player_ids=list(player_ids), limit=limit):
        found[player_id].append(fate)
    return found


def _fate(*, player_id: str, action: str, status: str, **row: Any) -> tuple[str, model.Fate]:
    return player_id, model.Fate(action=Action(action), status=model.Status(status), **row)
