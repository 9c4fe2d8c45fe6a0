"""The ledger's SQL: each statement a constant, then the function that runs it. All times are the database's."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kit import pg

_INSERT = """
INSERT INTO stq.tasks (queue, task_id, kwargs, due_at, first_due_at, traceparent)
VALUES (%(queue)s, %(task_id)s, %(kwargs)s::jsonb, now() + make_interval(secs => %(delay_s)s),
        now() + make_interval(secs => %(delay_s)s), %(traceparent)s)
ON CONFLICT (queue, task_id) DO NOTHING
"""


# A row that was given up or done begins anew, as if it had just been enqueued; one under way is left alone.
_INSERT_AGAIN = _INSERT.replace(
    "DO NOTHING",
    """DO UPDATE
SET state = 'waiting', kwargs = excluded.kwargs, due_at = excluded.due_at, first_due_at = excluded.first_due_at,
    attempt = 0, last_error = NULL, traceparent = excluded.traceparent, finished_at = NULL
WHERE tasks.state IN ('done', 'dead')""",
)


async def insert(
    tx: pg.Executor,
    *,
    queue: str,
    task_id: str,
    kwargs: str,
    delay_s: float,
    traceparent: str | None,
    again: bool,
) -> bool:
    """Adds a waiting task; False when this `task_id` is known, with `again` only while it waits or runs."""
    sql = _INSERT_AGAIN if again else _INSERT
    rows = await tx.run(sql, queue=queue, task_id=task_id, kwargs=kwargs, delay_s=delay_s, traceparent=traceparent)
    return rows == 1


@dataclass(frozen=True, slots=True)
class Arrived:
    """A task that came by message; `kwargs` is JSON text."""

    queue: str
    task_id: str
    kwargs: str
    eta: datetime.datetime | None
    traceparent: str | None


_INSERT_ARRIVED = """
INSERT INTO stq.tasks (queue, task_id, kwargs, due_at, first_due_at, traceparent)
SELECT a.queue, a.task_id, a.kwargs::jsonb, greatest(a.eta, now()), greatest(a.eta, now()), a.traceparent
FROM unnest(%(queues)s::text[], %(task_ids)s::text[], %(kwargs)s::text[], %(etas)s::timestamptz[],
            %(traceparents)s::text[]) AS a (queue, task_id, kwargs, eta, traceparent)
ON CONFLICT (queue, task_id) DO NOTHING
"""


async def insert_arrived(db: pg.Executor, arrived: Sequence[Arrived]) -> int:
    """Adds those that are not known yet; how many they were."""
    return await db.run(
        _INSERT_ARRIVED,
        queues=[each.queue for each in arrived],
        task_ids=[each.task_id for each in arrived],
        kwargs=[each.kwargs for each in arrived],
        etas=[each.eta for each in arrived],
        traceparents=[each.traceparent for each in arrived],
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A claimed row; `age_s` counts from when it was first due."""

    id: int
    task_id: str
    kwargs: str
    attempt: int
    lease_token: int
    traceparent: str | None
    due_at: datetime.datetime
    age_s: float


# MATERIALIZED, and an array instead of a join: the limit holds, and no statistics can turn it into a scan of the table.
_CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM stq.tasks
    WHERE queue = %(queue)s AND state = 'waiting' AND due_at <= now()
    ORDER BY due_at, id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE stq.tasks SET
    state = 'running', attempt = attempt + 1, started_at = now(),
    lease_token = nextval('stq.lease_tokens'), lease_until = now() + make_interval(secs => %(lease_s)s)
WHERE id = ANY (ARRAY(SELECT id FROM picked))
RETURNING id, task_id, kwargs::text AS kwargs, attempt, lease_token, traceparent, due_at,
          extract(epoch FROM now() - first_due_at)::float8 AS age_s
"""


async def claim(db: pg.Executor, *, queue: str, limit: int, lease_s: float) -> list[Row]:
    """Takes up to `limit` due tasks under a fresh lease each, the longest due first."""
    rows = await db.all(Row, _CLAIM, queue=queue, limit=limit, lease_s=lease_s)
    rows.sort(key=lambda row: (row.due_at, row.id))
    return rows


@dataclass(frozen=True, slots=True)
class Ending:
    """How one held task ends: `waiting` is tried again after `delay_s`; `uncounted` takes this attempt back."""

    id: int
    token: int
    state: Literal["waiting", "done", "dead"]
    delay_s: float = 0.0
    uncounted: int = 0
    error: str | None = None


_FINISH = """
UPDATE stq.tasks AS t SET
    state = e.state, attempt = t.attempt - e.uncounted, lease_until = NULL, lease_token = NULL,
    due_at = CASE e.state WHEN 'waiting' THEN now() + make_interval(secs => e.delay_s) ELSE t.due_at END,
    finished_at = CASE e.state WHEN 'waiting' THEN NULL ELSE now() END,
    last_error = coalesce(e.error, t.last_error)
FROM unnest(%(ids)s::bigint[], %(tokens)s::bigint[], %(states)s::text[], %(delays)s::float8[],
            %(uncounted)s::integer[], %(errors)s::text[]) AS e (id, token, state, delay_s, uncounted, error)
WHERE t.id = e.id AND t.lease_token = e.token AND t.state = 'running'
RETURNING e.token AS token
"""


async def finish(db: pg.Executor, endings: Sequence[Ending]) -> set[int]:
    """Ends held tasks; the tokens of those that were still held. The others' leases were lost."""
    kept = await db.all(
        pg.value,
        _FINISH,
        ids=[each.id for each in endings],
        tokens=[each.token for each in endings],
        states=[each.state for each in endings],
        delays=[each.delay_s for each in endings],
        uncounted=[each.uncounted for each in endings],
        errors=[each.error for each in endings],
    )
    return set(kept)


_FINISH_WITHIN = """
UPDATE stq.tasks SET state = 'done', finished_at = now(), lease_until = NULL, lease_token = NULL
WHERE id = %(id)s AND lease_token = %(token)s AND state = 'running'
"""


async def finish_within(tx: pg.Executor, id: int, token: int) -> bool:
    """Marks one task done as part of a transaction; False when the lease is lost."""
    return await tx.run(_FINISH_WITHIN, id=id, token=token) == 1


# A row that its own task is just finishing is locked: it is passed over instead of making all the others wait.
_EXTEND = """
WITH mine AS MATERIALIZED (
    SELECT t.id, t.lease_token FROM stq.tasks AS t
    JOIN unnest(%(ids)s::bigint[], %(tokens)s::bigint[]) AS h (id, token) ON t.id = h.id AND t.lease_token = h.token
    WHERE t.state = 'running'
), free AS MATERIALIZED (
    SELECT t.id FROM stq.tasks AS t
    WHERE t.id = ANY (ARRAY(SELECT id FROM mine)) AND t.lease_token = ANY (ARRAY(SELECT lease_token FROM mine))
    FOR UPDATE SKIP LOCKED
), extended AS (
    UPDATE stq.tasks SET lease_until = now() + make_interval(secs => %(lease_s)s)
    WHERE id = ANY (ARRAY(SELECT id FROM free))
)
SELECT lease_token FROM mine
"""


async def extend(db: pg.Executor, held: Sequence[tuple[int, int]], *, lease_s: float) -> set[int]:
    """Extends the leases of (id, token) pairs; the tokens that still hold."""
    kept = await db.all(
        pg.value, _EXTEND, ids=[id for id, _ in held], tokens=[token for _, token in held], lease_s=lease_s
    )
    return set(kept)


# A task that takes its worker down with it must end too, so the limits hold here as well.
_TAKE_BACK = """
WITH expired AS MATERIALIZED (
    SELECT t.id, CASE WHEN t.attempt >= q.max_attempts OR now() - t.first_due_at >= make_interval(secs => q.max_age_s)
                      THEN 'dead' ELSE 'waiting' END AS state
    FROM stq.tasks AS t
    JOIN unnest(%(queues)s::text[], %(max_attempts)s::integer[], %(max_ages)s::float8[])
         AS q (queue, max_attempts, max_age_s) ON t.queue = q.queue
    WHERE t.state = 'running' AND t.lease_until < now()
    LIMIT 1000
    FOR UPDATE OF t SKIP LOCKED
)
UPDATE stq.tasks AS t SET
    state = e.state, lease_until = NULL, lease_token = NULL, last_error = 'lease_expired',
    finished_at = CASE e.state WHEN 'dead' THEN now() END
FROM expired AS e
WHERE t.id = e.id
RETURNING t.queue, t.state
"""


async def take_back(
    db: pg.Executor,
    *,
    queues: Sequence[str],
    max_attempts: Sequence[int | None],
    max_ages: Sequence[float | None],
) -> list[dict[str, Any]]:
    """Takes tasks from workers whose lease is over; `queue` and new `state` of each."""
    return await db.all(dict, _TAKE_BACK, queues=queues, max_attempts=max_attempts, max_ages=max_ages)


_DUE_IN = """
SELECT q.queue, extract(epoch FROM first.due_at - now())::float8 AS due_in_s
FROM unnest(%(queues)s::text[]) AS q (queue)
CROSS JOIN LATERAL (
    SELECT t.due_at FROM stq.tasks AS t
    WHERE t.queue = q.queue AND t.state = 'waiting'
    ORDER BY t.due_at, t.id
    LIMIT 1
) AS first
"""


async def due_in(db: pg.Executor, queues: Sequence[str]) -> dict[str, float]:
    """Seconds until the first waiting task of each queue that has one is due; below zero when it is overdue."""
    rows: list[dict[str, Any]] = await db.all(dict, _DUE_IN, queues=queues)
    return {row["queue"]: row["due_in_s"] for row in rows}
