"""SQL of `orders.orders`."""

from kit import pg
from music.orders import model

FIND_STANDING = """
SELECT orders.event_seq, orders.not_opened_reason, players.player_id
FROM orders.orders
LEFT JOIN players.players ON players.order_id = orders.order_id AND players.status = 'active'
WHERE orders.order_id = %(order_id)s
"""


async def find_standing(db: pg.Executor, order_id: str) -> model.Standing | None:
    """How the order stands; None when nothing was said of it yet."""
    return await db.maybe(model.Standing, FIND_STANDING, order_id=order_id)


# Also where nothing changes, the order's row is locked until the end of the transaction.
MARK_ASSIGNED = """
INSERT INTO orders.orders AS o
    (order_id, event_seq, event, yandex_uid, park_id, driver_profile_id, not_opened_reason)
VALUES (%(order_id)s, %(event_seq)s, 'assigned', %(yandex_uid)s, %(park_id)s, %(driver_profile_id)s, %(reason)s)
ON CONFLICT (order_id) DO UPDATE
SET event_seq = excluded.event_seq, event = excluded.event, yandex_uid = excluded.yandex_uid,
    park_id = excluded.park_id, driver_profile_id = excluded.driver_profile_id,
    not_opened_reason = excluded.not_opened_reason
WHERE o.event_seq < excluded.event_seq
"""


async def mark_assigned(tx: pg.Transaction, assignment: model.Assignment, reason: model.NotOpened | None) -> bool:
    """Notes an assignment and why it has no music, if it has none; False when a newer event is known."""
    touched = await tx.run(
        MARK_ASSIGNED,
        order_id=assignment.order_id,
        event_seq=assignment.event_seq,
        yandex_uid=assignment.passenger.yandex_uid,
        park_id=assignment.driver.park_id,
        driver_profile_id=assignment.driver.driver_profile_id,
        reason=reason,
    )
    return touched == 1


# Who rode and why there was no music stays known.
MARK_FINISHED = """
INSERT INTO orders.orders AS o (order_id, event_seq, event) VALUES (%(order_id)s, %(event_seq)s, 'finished')
ON CONFLICT (order_id) DO UPDATE SET event_seq = excluded.event_seq, event = excluded.event
WHERE o.event_seq < excluded.event_seq
"""


async def mark_finished(tx: pg.Transaction, finish: model.Finish) -> bool:
    """Notes the end of an order; False when a newer event, or this one, is known."""
    return await tx.run(MARK_FINISHED, order_id=finish.order_id, event_seq=finish.event_seq) == 1


DELETE_ENDED = """
DELETE FROM orders.orders WHERE order_id IN (
    SELECT order_id FROM orders.orders o WHERE updated_at < now() - make_interval(days => %(days)s)
      AND NOT EXISTS (SELECT FROM players.players p WHERE p.order_id = o.order_id AND p.status = 'active')
    ORDER BY updated_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


async def delete_ended(db: pg.Executor, *, days: int, limit: int) -> int:
    """Forgets at most `limit` orders of which nothing was heard for `days` days and that have no player; how many."""
    return await db.run(DELETE_ENDED, days=days, limit=limit)
