"""The SQL of the operator's commands."""

from collections.abc import Sequence
from typing import Any

from kit import pg

_LIST = """
SELECT id, queue, task_id, state, attempt, due_at, finished_at, last_error FROM stq.tasks
WHERE (%(state)s::text IS NULL OR state = %(state)s) AND (%(queue)s::text IS NULL OR queue = %(queue)s)
ORDER BY id
LIMIT %(limit)s
"""


async def list_tasks(db: pg.Executor, *, state: str | None, queue: str | None, limit: int) -> list[dict[str, Any]]:
    """The oldest tasks first."""
    return await db.all(dict, _LIST, state=state, queue=queue, limit=limit)


_FIND = """
SELECT id, queue, task_id, state, attempt, kwargs, last_error, traceparent, created_at, first_due_at, due_at,
       started_at, finished_at, lease_until
FROM stq.tasks WHERE id = %(id)s
"""


async def find_task(db: pg.Executor, id: int) -> dict[str, Any] | None:
    """Everything about one task."""
    return await db.maybe(dict, _FIND, id=id)


# A retried task begins anew: all its attempts and its whole age are before it.
_RETRY = """
UPDATE stq.tasks SET state = 'waiting', attempt = 0, due_at = now(), first_due_at = now(), finished_at = NULL
WHERE state = 'dead' AND (id = ANY (%(ids)s::bigint[]) OR queue = %(queue)s)
RETURNING id
"""


async def retry(db: pg.Executor, *, ids: Sequence[int] = (), queue: str | None = None) -> list[int]:
    """Makes dead tasks, by id or all of a queue, wait again, due now; which."""
    return sorted(await db.all(pg.value, _RETRY, ids=list(ids), queue=queue))


_DROP = """
DELETE FROM stq.tasks WHERE id = ANY (%(ids)s::bigint[]) AND state IN ('dead', 'waiting') RETURNING id
"""


async def drop(db: pg.Executor, ids: Sequence[int]) -> list[int]:
    """Deletes dead and waiting tasks; which. A running one is its worker's, a done one says that it was done."""
    return sorted(await db.all(pg.value, _DROP, ids=list(ids)))
