"""SQL of `subscriptions.comparisons` and `subscriptions.differences`."""

import datetime
from collections.abc import Sequence

from kit import pg
from maas.reconciliation import model

_STALE = "finished_at IS NULL AND started_at < now() - interval '20 hours'"
_COLUMNS = f"day, started_at, finished_at, last_pass_id, planned, compared, {_STALE} AS is_stale"
_STATUS = """
CASE WHEN status = 'activated' AND expiration_datetime <= now() THEN 'expired'
     WHEN status = 'reserved' AND reserved_until <= now() THEN 'canceled' ELSE status END AS status
"""
_DUE = """
(status IN ('reserved', 'activated')
 OR coalesce(expired_at, canceled_at) > now() - make_interval(days => %(ended_days)s))
"""

FIND_OPEN = f"""
SELECT {_COLUMNS} FROM subscriptions.comparisons WHERE finished_at IS NULL AND NOT ({_STALE})
ORDER BY day DESC LIMIT 1
"""  # noqa: S608


async def find_open(db: pg.Executor) -> model.Comparison | None:
    """The comparison that is under way."""
    return await db.maybe(model.Comparison, FIND_OPEN)


FIND_OF_DAY = f"""
SELECT {_COLUMNS} FROM subscriptions.comparisons WHERE day = coalesce(%(day)s, day) ORDER BY day DESC LIMIT 1
"""  # noqa: S608


async def find_of_day(db: pg.Executor, day: datetime.date | None) -> model.Comparison | None:
    """The comparison of `day`, the last one when there is no day."""
    return await db.maybe(model.Comparison, FIND_OF_DAY, day=day)


INSERT = f"""
INSERT INTO subscriptions.comparisons (day, planned)
SELECT (now() AT TIME ZONE 'UTC')::date, count(*) FROM subscriptions.subscriptions WHERE {_DUE}
ON CONFLICT (day) DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608


async def insert(db: pg.Executor, *, ended_days: int) -> model.Comparison | None:
    """Begins the comparison of today; None when today has one."""
    return await db.maybe(model.Comparison, INSERT, ended_days=ended_days)


DELETE_TODAY = "DELETE FROM subscriptions.comparisons WHERE day = (now() AT TIME ZONE 'UTC')::date"


async def delete_today(db: pg.Executor) -> int:
    """Forgets the comparison of today with its differences."""
    return await db.run(DELETE_TODAY)


DELETE_OLD = "DELETE FROM subscriptions.comparisons WHERE day < now() - make_interval(days => %(days)s)"


async def delete_old(db: pg.Executor, *, days: int) -> int:
    """Forgets comparisons older than `days` days with their differences; how many."""
    return await db.run(DELETE_OLD, days=days)


LIST_PAGE = f"""
SELECT pass_id, {_STATUS} FROM subscriptions.subscriptions WHERE pass_id > %(after)s AND {_DUE}
ORDER BY pass_id LIMIT %(limit)s
"""  # noqa: S608


async def list_page(db: pg.Executor, *, after: str, ended_days: int, limit: int) -> list[model.Known]:
    """The next subscriptions that are live or ended in the last `ended_days` days."""
    return await db.all(model.Known, LIST_PAGE, after=after, ended_days=ended_days, limit=limit)


MARK_COMPARED = """
UPDATE subscriptions.comparisons SET last_pass_id = %(upto)s, compared = compared + %(count)s
WHERE day = %(day)s AND last_pass_id = %(after)s AND finished_at IS NULL
"""


async def mark_compared(db: pg.Executor, day: datetime.date, *, after: str, upto: str, count: int) -> int:
    """Notes how far the comparison has come; 0 when another one has moved it on."""
    return await db.run(MARK_COMPARED, day=day, after=after, upto=upto, count=count)


MARK_FINISHED = """
UPDATE subscriptions.comparisons SET finished_at = now()
WHERE day = %(day)s AND last_pass_id = %(after)s AND finished_at IS NULL
"""


async def mark_finished(db: pg.Executor, day: datetime.date, *, after: str) -> int:
    """Ends the comparison; 0 when another one has moved it on."""
    return await db.run(MARK_FINISHED, day=day, after=after)


INSERT_DIFFERENCES = """
INSERT INTO subscriptions.differences (day, pass_id, kind, ours, theirs)
SELECT %(day)s, * FROM unnest(%(pass_ids)s::text[], %(kinds)s::text[], %(ours)s::text[], %(theirs)s::text[])
ON CONFLICT (day, pass_id) DO UPDATE
SET kind = excluded.kind, ours = excluded.ours, theirs = excluded.theirs, seen_at = now()
"""


async def insert_differences(db: pg.Executor, day: datetime.date, found: Sequence[model.Difference]) -> int:
    """Keeps what differs; what was seen before is replaced."""
    return await db.run(
        INSERT_DIFFERENCES,
        day=day,
        pass_ids=[each.pass_id for each in found],
        kinds=[each.kind.value for each in found],
        ours=[each.ours for each in found],
        theirs=[each.theirs for each in found],
    )


DELETE_DIFFERENCES = "DELETE FROM subscriptions.differences WHERE day = %(day)s AND pass_id = ANY(%(pass_ids)s::text[])"


async def delete_differences(db: pg.Executor, day: datetime.date, pass_ids: list[str]) -> int:
    """Forgets differences that are none any more."""
    return await db.run(DELETE_DIFFERENCES, day=day, pass_ids=pass_ids)


LIST_DIFFERING = f"""
SELECT pass_id, {_STATUS} FROM subscriptions.subscriptions WHERE pass_id IN (
    SELECT pass_id FROM subscriptions.differences WHERE day = %(day)s AND pass_id > %(after)s
    ORDER BY pass_id LIMIT %(limit)s)
ORDER BY pass_id
"""  # noqa: S608


async def list_differing(db: pg.Executor, day: datetime.date, *, after: str, limit: int) -> list[model.Known]:
    """The next subscriptions that differed when they were compared, with their statuses of now."""
    return await db.all(model.Known, LIST_DIFFERING, day=day, after=after, limit=limit)


LIST_DIFFERENCES = """
SELECT pass_id, kind, ours, theirs, seen_at FROM subscriptions.differences WHERE day = %(day)s
ORDER BY kind, pass_id LIMIT %(limit)s
"""


async def list_differences(db: pg.Executor, day: datetime.date, *, limit: int) -> list[model.Difference]:
    """The differences of a day, by kind."""
    return await db.all(model.Difference.from_row, LIST_DIFFERENCES, day=day, limit=limit)


COUNT_DIFFERENCES = """
SELECT coalesce(jsonb_object_agg(kind, n), '{}') FROM (
    SELECT kind, count(*) AS n FROM subscriptions.differences WHERE day = %(day)s GROUP BY kind) AS counted
"""


async def count_differences(db: pg.Executor, day: datetime.date) -> dict[str, int]:
    """How many differences of each kind a day has."""
    counted: dict[str, int] = await db.one(pg.value, COUNT_DIFFERENCES, day=day)
    return counted
