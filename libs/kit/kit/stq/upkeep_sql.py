"""The SQL of what every worker does by the clock: ticks of the schedule, retention, gauges."""

from collections.abc import Sequence
from typing import Any

from kit import pg

_INSERT_TICKS = """
INSERT INTO stq.tasks (queue, task_id)
SELECT s.name, 'tick-' || floor(extract(epoch FROM now()) / s.period_s)::bigint
FROM unnest(%(names)s::text[], %(periods)s::float8[]) AS s (name, period_s)
WHERE NOT EXISTS (SELECT FROM stq.tasks AS t WHERE t.queue = s.name AND t.state = 'waiting'
                  AND starts_with(t.task_id, 'tick-'))
  AND NOT EXISTS (SELECT FROM stq.tasks AS t WHERE t.queue = s.name AND t.state = 'running'
                  AND starts_with(t.task_id, 'tick-'))
ON CONFLICT (queue, task_id) DO NOTHING
RETURNING queue
"""


async def insert_ticks(db: pg.Executor, *, names: Sequence[str], periods: Sequence[float]) -> list[str]:
    """Enqueues the present tick of each schedule entry that has none and no older one at work; their names."""
    return await db.all(pg.value, _INSERT_TICKS, names=names, periods=periods)


_DELETE_DONE = """
DELETE FROM stq.tasks WHERE id = ANY (ARRAY(
    SELECT id FROM stq.tasks
    WHERE state = 'done' AND finished_at < now() - make_interval(secs => %(keep_s)s)
      AND queue <> ALL (%(ticking)s::text[])
    ORDER BY finished_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
))
"""


async def delete_done(db: pg.Executor, *, ticking: Sequence[str], keep_s: float, limit: int) -> int:
    """Deletes finished tasks of the queues that are not on the schedule; how many."""
    return await db.run(_DELETE_DONE, ticking=ticking, keep_s=keep_s, limit=limit)


# A tick is kept for two periods at least: while it is the present one, its row is what says that it was done.
_DELETE_TICKS = """
DELETE FROM stq.tasks WHERE id = ANY (ARRAY(
    SELECT t.id FROM stq.tasks AS t
    JOIN unnest(%(names)s::text[], %(periods)s::float8[]) AS s (name, period_s) ON t.queue = s.name
    WHERE t.state = 'done'
      AND t.finished_at < now() - make_interval(secs => greatest(%(keep_s)s, 2 * s.period_s))
    LIMIT %(limit)s
    FOR UPDATE OF t SKIP LOCKED
))
"""


async def delete_ticks(
    db: pg.Executor, *, names: Sequence[str], periods: Sequence[float], keep_s: float, limit: int
) -> int:
    """Deletes finished tasks of the queues that are on the schedule; how many."""
    return await db.run(_DELETE_TICKS, names=names, periods=periods, keep_s=keep_s, limit=limit)


_COUNT_DEAD = "SELECT queue, count(*) AS dead FROM stq.tasks WHERE state = 'dead' GROUP BY queue"


async def count_dead(db: pg.Executor) -> dict[str, int]:
    """How many dead tasks each queue has that has any."""
    rows: list[dict[str, Any]] = await db.all(dict, _COUNT_DEAD)
    return {row["queue"]: row["dead"] for row in rows}


_MEASURE_OUTBOX = """
SELECT (SELECT count(*) FROM (SELECT FROM stq.outbox LIMIT 100000) AS counted) AS depth,
       coalesce((SELECT extract(epoch FROM now() - created_at) FROM stq.outbox ORDER BY id LIMIT 1), 0)::float8 AS age_s
"""


async def measure_outbox(db: pg.Executor) -> dict[str, Any]:
    """The outbox's `depth`, counted up to 100,000, and `age_s` of its first row."""
    return await db.one(dict, _MEASURE_OUTBOX)
