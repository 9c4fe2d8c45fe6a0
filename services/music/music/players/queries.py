"""SQL of `players.players`."""

from kit import pg
from music.players import model

COLUMNS = """
player_id, order_id, yandex_uid, park_id, driver_profile_id, status, close_reason, connection, state, last_error,
version, last_seq, applied_seq, device_session, report_seq, opened_at, reported_at, clock_timestamp() AS now
"""

FIND_NEWEST = f"""
SELECT {COLUMNS} FROM players.players WHERE order_id = %(order_id)s ORDER BY version DESC LIMIT 1
"""  # noqa: S608


async def find_newest(db: pg.Executor, order_id: str) -> model.Player | None:
    """The order's active player, else the one that was closed last."""
    return await db.maybe(model.Player.from_row, FIND_NEWEST, order_id=order_id)


LOCK_NEWEST = f"{FIND_NEWEST} FOR UPDATE"


async def lock_newest(tx: pg.Transaction, order_id: str) -> model.Player | None:
    """The same, and nobody else changes it before the end of the transaction."""
    return await tx.maybe(model.Player.from_row, LOCK_NEWEST, order_id=order_id)


FIND_NEWEST_OF_DRIVER = f"""
SELECT {COLUMNS} FROM players.players
WHERE order_id = %(order_id)s AND park_id = %(park_id)s AND driver_profile_id = %(driver_profile_id)s
ORDER BY version DESC LIMIT 1
"""  # noqa: S608


async def find_newest_of_driver(db: pg.Executor, order_id: str, driver: model.Driver) -> model.Player | None:
    """The driver's player of the order, the last one if there were several."""
    return await db.maybe(
        model.Player.from_row,
        FIND_NEWEST_OF_DRIVER,
        order_id=order_id,
        park_id=driver.park_id,
        driver_profile_id=driver.driver_profile_id,
    )


LOCK_NEWEST_OF_DRIVER = f"{FIND_NEWEST_OF_DRIVER} FOR UPDATE"


async def lock_newest_of_driver(tx: pg.Transaction, order_id: str, driver: model.Driver) -> model.Player | None:
    """The same, and nobody else changes it before the end of the transaction."""
    return await tx.maybe(
        model.Player.from_row,
        LOCK_NEWEST_OF_DRIVER,
        order_id=order_id,
        park_id=driver.park_id,
        driver_profile_id=driver.driver_profile_id,
    )


INSERT = f"""
INSERT INTO players.players (player_id, order_id, yandex_uid, park_id, driver_profile_id)
VALUES (%(player_id)s, %(order_id)s, %(yandex_uid)s, %(park_id)s, %(driver_profile_id)s) RETURNING {COLUMNS}
"""  # noqa: S608


async def insert(
    tx: pg.Transaction, player_id: str, *, order_id: str, yandex_uid: str, driver: model.Driver
) -> model.Player:
    """A new active player; UniqueViolation when the order has one."""
    return await tx.one(
        model.Player.from_row,
        INSERT,
        player_id=player_id,
        order_id=order_id,
        yandex_uid=yandex_uid,
        park_id=driver.park_id,
        driver_profile_id=driver.driver_profile_id,
    )


MARK_CLOSED = """
UPDATE players.players
SET status = 'closed', close_reason = %(reason)s, closed_at = clock_timestamp(), version = version + 1
WHERE player_id = %(player_id)s AND status = 'active' RETURNING version
"""


async def mark_closed(tx: pg.Transaction, player_id: str, reason: str) -> int | None:
    """Closes a player; its last version, None when it is closed already."""
    return await tx.maybe(pg.value, MARK_CLOSED, player_id=player_id, reason=reason)


LOCK_IDLE = f"""
SELECT {COLUMNS} FROM players.players
WHERE status = 'active' AND touched_at < now() - make_interval(secs => %(after_s)s)
ORDER BY touched_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""  # noqa: S608


async def lock_idle(tx: pg.Transaction, *, after_s: int, limit: int) -> list[model.Player]:
    """At most `limit` active players untouched for `after_s` seconds; who is busy with one keeps it out."""
    return await tx.all(model.Player.from_row, LOCK_IDLE, after_s=after_s, limit=limit)


MARK_LOST = """
UPDATE players.players SET connection = 'lost', version = version + 1 WHERE player_id IN (
    SELECT player_id FROM players.players
    WHERE status = 'active' AND connection <> 'lost'
      AND coalesce(reported_at, opened_at) < now() - make_interval(secs => %(after_s)s)
    ORDER BY coalesce(reported_at, opened_at) LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


async def mark_lost(db: pg.Executor, *, after_s: int, limit: int) -> int:
    """Notes of at most `limit` players that were not heard of for `after_s` seconds that they are lost; how many."""
    return await db.run(MARK_LOST, after_s=after_s, limit=limit)


DELETE_CLOSED = """
DELETE FROM players.players WHERE player_id IN (
    SELECT player_id FROM players.players
    WHERE status = 'closed' AND closed_at < now() - make_interval(days => %(days)s)
    ORDER BY closed_at LIMIT %(limit)s)
"""


async def delete_closed(db: pg.Executor, *, days: int, limit: int) -> int:
    """Forgets at most `limit` players closed more than `days` days ago, and what refers to them; how many."""
    return await db.run(DELETE_CLOSED, days=days, limit=limit)


COUNT_ACTIVE = """
SELECT coalesce(jsonb_object_agg(connection, n), '{}') FROM (
    SELECT connection, count(*) AS n FROM players.players WHERE status = 'active' GROUP BY connection) AS counted
"""


async def count_active(db: pg.Executor) -> dict[model.Connection, int]:
    """How many players are active by their connection."""
    counted = await db.one(pg.value, COUNT_ACTIVE)
    return {model.Connection(connection): n for connection, n in counted.items()}


async def tell_to_count(tx: pg.Transaction) -> None:
    """Says to every process that it is time to count."""
    await tx.run("SELECT pg_notify('music_figures', '')")
