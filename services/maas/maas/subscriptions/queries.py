"""SQL of `subscriptions.subscriptions`."""

from collections.abc import Sequence
from typing import Any

from kit import pg
from maas.subscriptions import model

# What time has done is seen here, even before the periodic tasks have written it down.
_COLUMNS = """
pass_id, maas_user_id, yandex_uid, tariff_id, price, currency, taxi_rides, duration_days, promocode_series_id,
CASE WHEN status = 'activated' AND expiration_datetime <= now() THEN 'expired'
     WHEN status = 'reserved' AND reserved_until <= now() THEN 'canceled' ELSE status END AS status,
CASE WHEN status = 'reserved' AND reserved_until <= now() THEN 'reservation_expired' ELSE cancel_reason
     END AS cancel_reason,
reserved_until, expiration_datetime, activated_at, updated_at, promocode, promocode_status, promocode_wanted_at,
paid_refused_at, extensions, rides_taken,
(SELECT count(*) FROM subscriptions.rides r WHERE r.pass_id = s.pass_id AND r.state = 'held') AS rides_held
"""

FIND = f"SELECT {_COLUMNS} FROM subscriptions.subscriptions s WHERE pass_id = %(pass_id)s"  # noqa: S608


async def find(db: pg.Executor, pass_id: str) -> model.Subscription | None:
    """The subscription."""
    return await db.maybe(model.Subscription.from_row, FIND, pass_id=pass_id)


FIND_LATEST = f"""
SELECT {_COLUMNS} FROM subscriptions.subscriptions s WHERE maas_user_id = %(maas_user_id)s
ORDER BY (status IN ('reserved', 'activated')) DESC, created_at DESC LIMIT 1
"""  # noqa: S608


async def find_latest(db: pg.Executor, maas_user_id: str) -> model.Subscription | None:
    """The person's live subscription, else the last one."""
    return await db.maybe(model.Subscription.from_row, FIND_LATEST, maas_user_id=maas_user_id)


FIND_BY_PROMOCODE = f"""
SELECT {_COLUMNS} FROM subscriptions.subscriptions s WHERE promocode = %(promocode)s
"""  # noqa: S608


async def find_by_promocode(db: pg.Executor, promocode: str) -> model.Subscription | None:
    """The subscription that this code belongs to."""
    return await db.maybe(model.Subscription.from_row, FIND_BY_PROMOCODE, promocode=promocode)


INSERT = f"""
INSERT INTO subscriptions.subscriptions AS s
    (pass_id, maas_user_id, yandex_uid, tariff_id, price, currency, taxi_rides, duration_days,
     promocode_series_id, status, reserved_until, expiration_datetime)
VALUES (%(pass_id)s, %(maas_user_id)s, %(yandex_uid)s, %(tariff_id)s, %(price)s, %(currency)s, %(taxi_rides)s,
        %(duration_days)s, %(promocode_series_id)s, 'reserved', now() + make_interval(secs => %(ttl_s)s),
        now() + make_interval(days => %(duration_days)s))
RETURNING {_COLUMNS}
"""  # noqa: S608


async def insert(
    db: pg.Executor, sale: model.Sale, *, yandex_uid: str | None, promocode_series_id: str, ttl_s: int
) -> model.Subscription:
    """A new reservation of `ttl_s` seconds; UniqueViolation when the person or the pass_id has one."""
    tariff = sale.tariff
    return await db.one(
        model.Subscription.from_row,
        INSERT,
        pass_id=sale.pass_id,
        maas_user_id=sale.maas_user_id,
        yandex_uid=yandex_uid,
        tariff_id=tariff.tariff_id,
        price=tariff.price.amount,
        currency=tariff.price.currency,
        taxi_rides=tariff.taxi_rides,
        duration_days=tariff.duration_days,
        promocode_series_id=promocode_series_id,
        ttl_s=ttl_s,
    )


HAS_LIVE = """
SELECT EXISTS (
    SELECT FROM subscriptions.subscriptions WHERE maas_user_id = %(maas_user_id)s
      AND ((status = 'reserved' AND reserved_until > now()) OR (status = 'activated' AND expiration_datetime > now())))
"""


async def has_live(db: pg.Executor, maas_user_id: str) -> bool:
    """True while the person has a reservation or an active subscription."""
    return bool(await db.one(pg.value, HAS_LIVE, maas_user_id=maas_user_id))


LOCK_BUDGET = "SELECT pg_advisory_xact_lock(hashtextextended('maas.budget:' || %(tariff_id)s, 0))"


async def lock_budget(tx: pg.Transaction, tariff_id: str) -> None:
    """Keeps everybody else from selling this tariff until the transaction ends; LockTimeout after a second."""
    await tx.run(LOCK_BUDGET, tariff_id=tariff_id)


COUNT_SOLD = """
SELECT tariff_id, count(*) AS sold FROM subscriptions.subscriptions
WHERE tariff_id = ANY(%(tariff_ids)s) AND (status <> 'canceled' OR activated_at IS NOT NULL)
  AND NOT (status = 'reserved' AND reserved_until <= now())
GROUP BY tariff_id
"""


async def count_sold(db: pg.Executor, tariff_ids: Sequence[str]) -> dict[str, int]:
    """How many subscriptions take from the budget of each tariff; one that is not there has sold none."""
    rows: list[dict[str, Any]] = await db.all(dict, COUNT_SOLD, tariff_ids=list(tariff_ids))
    return {row["tariff_id"]: row["sold"] for row in rows}


COUNT_RESERVATIONS = """
SELECT count(*) FROM subscriptions.subscriptions
WHERE maas_user_id = %(maas_user_id)s AND created_at > now() - interval '1 day'
"""


async def count_reservations(db: pg.Executor, maas_user_id: str) -> int:
    """How often the person reserved within 24 hours, whatever became of it."""
    return int(await db.one(pg.value, COUNT_RESERVATIONS, maas_user_id=maas_user_id))


MARK_EXTENDED = f"""
UPDATE subscriptions.subscriptions s
SET reserved_until = greatest(reserved_until, now() + make_interval(secs => %(ttl_s)s)), extensions = extensions + 1
WHERE pass_id = %(pass_id)s AND status = 'reserved' AND reserved_until > now() AND extensions < %(limit)s
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_extended(db: pg.Executor, pass_id: str, *, ttl_s: int, limit: int) -> model.Subscription | None:
    """Keeps a reservation for `ttl_s` seconds from now; None when it is none or was extended `limit` times."""
    return await db.maybe(model.Subscription.from_row, MARK_EXTENDED, pass_id=pass_id, ttl_s=ttl_s, limit=limit)


MARK_ACTIVATED = f"""
UPDATE subscriptions.subscriptions s
SET status = 'activated', cancel_reason = NULL, canceled_at = NULL, activated_at = now(), paid_refused_at = NULL,
    expiration_datetime = now() + make_interval(days => duration_days),
    yandex_uid = coalesce(yandex_uid, %(yandex_uid)s),
    promocode_status = CASE WHEN coalesce(yandex_uid, %(yandex_uid)s) IS NULL THEN 'none' ELSE 'pending' END
WHERE pass_id = %(pass_id)s AND (status = 'reserved' OR cancel_reason = 'reservation_expired')
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_activated(db: pg.Executor, pass_id: str, yandex_uid: str | None) -> model.Subscription | None:
    """Activates a reservation, also one that time has ended; None when it is in no such state."""
    return await db.maybe(model.Subscription.from_row, MARK_ACTIVATED, pass_id=pass_id, yandex_uid=yandex_uid)


MARK_PAID_REFUSED = """
UPDATE subscriptions.subscriptions SET paid_refused_at = now() WHERE pass_id = %(pass_id)s AND paid_refused_at IS NULL
"""


async def mark_paid_refused(db: pg.Executor, pass_id: str) -> int:
    """Notes that this was paid in vain; 0 when that is known."""
    return await db.run(MARK_PAID_REFUSED, pass_id=pass_id)


MARK_CANCELED = f"""
UPDATE subscriptions.subscriptions s SET status = 'canceled', cancel_reason = %(reason)s, canceled_at = now()
WHERE pass_id = %(pass_id)s AND (status = 'reserved' OR cancel_reason = 'reservation_expired')
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_canceled(db: pg.Executor, pass_id: str, reason: str) -> model.Subscription | None:
    """Cancels a reservation, for good also one that time has ended; None when it is none."""
    return await db.maybe(model.Subscription.from_row, MARK_CANCELED, pass_id=pass_id, reason=reason)


MARK_OWNER = f"""
UPDATE subscriptions.subscriptions s
SET yandex_uid = %(yandex_uid)s,
    promocode_status = CASE WHEN status = 'activated' THEN 'pending' ELSE promocode_status END
WHERE maas_user_id = %(maas_user_id)s AND status IN ('reserved', 'activated') AND yandex_uid IS NULL
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_owner(db: pg.Executor, maas_user_id: str, yandex_uid: str) -> model.Subscription | None:
    """Binds an account to the person's live subscription; None when there is none without an account."""
    return await db.maybe(model.Subscription.from_row, MARK_OWNER, maas_user_id=maas_user_id, yandex_uid=yandex_uid)


MARK_OVERDUE = """
UPDATE subscriptions.subscriptions
SET status = CASE status WHEN 'reserved' THEN 'canceled' ELSE 'expired' END,
    cancel_reason = CASE status WHEN 'reserved' THEN 'reservation_expired' END,
    canceled_at = CASE status WHEN 'reserved' THEN now() END,
    expired_at = CASE status WHEN 'activated' THEN now() END
WHERE pass_id IN (
    SELECT pass_id FROM subscriptions.subscriptions
    WHERE ((status = 'reserved' AND reserved_until <= now())
           OR (status = 'activated' AND expiration_datetime <= now()))
      AND (%(maas_user_id)s IS NULL OR maas_user_id = %(maas_user_id)s)
    ORDER BY pass_id LIMIT %(limit)s FOR UPDATE)
"""


async def mark_overdue(db: pg.Executor, *, maas_user_id: str | None = None, limit: int = pg.batches.SIZE) -> int:
    """Writes down what time has done, to one person's subscriptions or to anybody's; how many moved."""
    return await db.run(MARK_OVERDUE, maas_user_id=maas_user_id, limit=limit)


DELETE_ENDED = """
WITH old AS MATERIALIZED (
    SELECT pass_id FROM subscriptions.subscriptions
    WHERE status IN ('expired', 'canceled')
      AND coalesce(expired_at, canceled_at) < now() - make_interval(days => %(days)s)
    ORDER BY coalesce(expired_at, canceled_at) LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), rides AS (
    DELETE FROM subscriptions.rides WHERE pass_id IN (SELECT pass_id FROM old)
)
DELETE FROM subscriptions.subscriptions WHERE pass_id IN (SELECT pass_id FROM old)
"""


async def delete_ended(db: pg.Executor, *, days: int, limit: int) -> int:
    """Forgets at most `limit` subscriptions that ended more than `days` days ago, with their rides; how many."""
    return await db.run(DELETE_ENDED, days=days, limit=limit)
