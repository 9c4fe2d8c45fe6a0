"""SQL of `audit.requests`."""

from collections.abc import Sequence

from kit import pg
from maas_authproxy.audit import model

INSERT = """
INSERT INTO audit.requests
    (id, at, partner, key_id, route, method, status, duration_ms, request_id, pass_id, maas_user_id)
SELECT id, at, partner, key_id, route, method, status, duration_ms, request_id, pass_id, maas_user_id
FROM jsonb_to_recordset(%(entries)s::jsonb) AS entry (
    id uuid, at timestamptz, partner text, key_id text, route text, method text, status integer,
    duration_ms integer, request_id text, pass_id text, maas_user_id text
)
ON CONFLICT (id) DO NOTHING
"""


async def insert(db: pg.Executor, entries: Sequence[model.Entry]) -> int:
    """Writes entries; those that are there already change nothing."""
    return await db.run(INSERT, entries=list(entries))


DELETE_OLD = """
DELETE FROM audit.requests WHERE id IN (
    SELECT id FROM audit.requests WHERE at < now() - make_interval(days => %(days)s) ORDER BY at LIMIT %(limit)s
)
"""


async def delete_old(db: pg.Executor, *, days: int, limit: int) -> int:
    """Deletes the oldest entries of more than `days` days; how many, at most `limit`."""
    return await db.run(DELETE_OLD, days=days, limit=limit)
