"""SQL of `tokens.grants`."""

import datetime

from kit import pg
from music.tokens import model

FIND_LIVE = """
SELECT grant_id, ttl_s FROM tokens.grants
WHERE player_id = %(player_id)s AND revoked_at IS NULL
  AND coalesce(expires_at, asked_at + make_interval(secs => ttl_s)) - now() > make_interval(secs => ttl_s) / 2
ORDER BY asked_at DESC LIMIT 1
"""


async def find_live(db: pg.Executor, player_id: str) -> model.Grant | None:
    """The player's latest grant with more than half of its life left, also one that was only asked for."""
    return await db.maybe(model.Grant, FIND_LIVE, player_id=player_id)


INSERT = """
INSERT INTO tokens.grants (grant_id, player_id, order_id, ttl_s)
VALUES (%(grant_id)s, %(player_id)s, %(order_id)s, %(ttl_s)s) RETURNING grant_id, ttl_s
"""


async def insert(tx: pg.Transaction, grant_id: str, *, player_id: str, order_id: str, ttl_s: int) -> model.Grant:
    """Notes that a grant is going to be asked for."""
    return await tx.one(model.Grant, INSERT, grant_id=grant_id, player_id=player_id, order_id=order_id, ttl_s=ttl_s)


MARK_ISSUED = """
UPDATE tokens.grants SET issued_at = coalesce(issued_at, now()), expires_at = %(expires_at)s
FROM players.players WHERE grants.grant_id = %(grant_id)s AND players.player_id = grants.player_id
RETURNING players.player_id, players.status = 'active' AS is_active, players.close_reason
"""


async def mark_issued(tx: pg.Transaction, grant_id: str, expires_at: datetime.datetime) -> model.Holder | None:
    """Notes until when the grant lives; how its player is by now, None when it is forgotten."""
    return await tx.maybe(model.Holder, MARK_ISSUED, grant_id=grant_id, expires_at=expires_at)


# One whose answer was lost may have been made as late as it was last asked for, at half of its life.
_MAY_LIVE = """
player_id = %(player_id)s AND revoked_at IS NULL
AND coalesce(expires_at, asked_at + make_interval(secs => ttl_s * 1.5)) + make_interval(secs => %(doubt_s)s) > now()
"""

HAS_LIVING = f"SELECT EXISTS (SELECT FROM tokens.grants WHERE {_MAY_LIVE})"  # noqa: S608 (constants alone)


async def has_living(db: pg.Executor, player_id: str) -> bool:
    """True when a token of this player may still be good."""
    return bool(await db.one(pg.value, HAS_LIVING, player_id=player_id, doubt_s=model.DOUBT_S))


LIST_TO_REVOKE = f"""
SELECT grant_id FROM tokens.grants JOIN players.players USING (player_id)
WHERE players.status = 'closed' AND {_MAY_LIVE} ORDER BY asked_at DESC LIMIT 1000
"""  # noqa: S608 (constants alone)


async def list_to_revoke(db: pg.Executor, player_id: str) -> list[str]:
    """The grants of a closed player that may still be good, the latest first; none while it is active."""
    return await db.all(pg.value, LIST_TO_REVOKE, player_id=player_id, doubt_s=model.DOUBT_S)


MARK_REVOKED = "UPDATE tokens.grants SET revoked_at = now() WHERE grant_id = %(grant_id)s AND revoked_at IS NULL"


async def mark_revoked(db: pg.Executor, grant_id: str) -> int:
    """Notes that a grant is good for nothing any more; 0 when that is known."""
    return await db.run(MARK_REVOKED, grant_id=grant_id)
