"""SQL of `subscriptions.rides`."""

import datetime

from kit import money, pg
from maas.rides import model

_COLUMNS = "order_id, pass_id, state, reason, held_at, finished_at"

FIND = f"SELECT {_COLUMNS} FROM subscriptions.rides WHERE order_id = %(order_id)s"  # noqa: S608


async def find(db: pg.Executor, order_id: str) -> model.Ride | None:
    """The ride of an order."""
    return await db.maybe(model.Ride.from_row, FIND, order_id=order_id)


INSERT_HELD = f"""
INSERT INTO subscriptions.rides (order_id, pass_id, state)
SELECT %(order_id)s, pass_id, 'held' FROM subscriptions.subscriptions
WHERE pass_id = %(pass_id)s AND status = 'activated' AND expiration_datetime > now()
ON CONFLICT (order_id) DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608


async def insert_held(db: pg.Executor, order_id: str, pass_id: str) -> model.Ride | None:
    """Holds a ride; None when the order is known or the subscription is over.

    CheckViolation of `subscriptions_rides_within_tariff` when none is left.
    """
    return await db.maybe(model.Ride.from_row, INSERT_HELD, order_id=order_id, pass_id=pass_id)


MARK_USED = f"""
UPDATE subscriptions.rides
SET state = 'used', price = %(amount)s, currency = %(currency)s,
    rides_left = (SELECT taxi_rides - rides_taken FROM subscriptions.subscriptions s WHERE s.pass_id = rides.pass_id),
    finished_at = coalesce(%(finished_at)s, now()), updated_at = now()
WHERE order_id = %(order_id)s AND state = 'held'
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_used(
    db: pg.Executor, order_id: str, price: money.Money, finished_at: datetime.datetime | None
) -> model.Ride | None:
    """Spends a held ride; None when it is not held."""
    return await db.maybe(
        model.Ride.from_row,
        MARK_USED,
        order_id=order_id,
        amount=price.amount,
        currency=price.currency,
        finished_at=finished_at,
    )


MARK_RELEASED = f"""
UPDATE subscriptions.rides SET state = 'released', reason = %(reason)s, finished_at = now(), updated_at = now()
WHERE order_id = %(order_id)s AND state = 'held'
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_released(db: pg.Executor, order_id: str, reason: str) -> model.Ride | None:
    """Gives a held ride back; None when it is not held."""
    return await db.maybe(model.Ride.from_row, MARK_RELEASED, order_id=order_id, reason=reason)


FIND_REPORT = """
SELECT r.order_id, r.pass_id, s.maas_user_id, r.price AS amount, r.currency, r.finished_at, r.rides_left
FROM subscriptions.rides r JOIN subscriptions.subscriptions s USING (pass_id)
WHERE r.order_id = %(order_id)s AND r.state = 'used'
"""


async def find_report(db: pg.Executor, order_id: str) -> model.Report | None:
    """What the bank is told of a used ride."""
    return await db.maybe(model.Report.from_row, FIND_REPORT, order_id=order_id)
