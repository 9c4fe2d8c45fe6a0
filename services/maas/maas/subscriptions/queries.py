"""SQL of `subscriptions.subscriptions`."""

from kit import pg
from maas.subscriptions import model

# What time has done is seen here, even before the periodic tasks have written it down.
_COLUMNS = """
pass_id, maas_user_id, yandex_uid, tariff_id, price, currency, taxi_rides, duration_days, promocode_series_id,
CASE WHEN status = 'activated' AND expiration_datetime <= now() THEN 'expired'
     WHEN status = 'reserved' AND reserved_until <= now() THEN 'canceled' ELSE status END AS status,
CASE WHEN status = 'reserved' AND reserved_until <= now() THEN 'reservation_expired' ELSE cancel_reason
     END AS cancel_reason,
reserved_until, expiration_datetime, activated_at, updated_at, promocode, promocode_status, rides_taken,
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


MARK_ACTIVATED = f"""
UPDATE subscriptions.subscriptions s
SET status = 'activated', cancel_reason = NULL, canceled_at = NULL, activated_at = now(),
    expiration_datetime = now() + make_interval(days => duration_days),
    yandex_uid = coalesce(yandex_uid, %(yandex_uid)s),
    promocode_status = CASE WHEN coalesce(yandex_uid, %(yandex_uid)s) IS NULL THEN 'none' ELSE 'pending' END
WHERE pass_id = %(pass_id)s AND (status = 'reserved' OR cancel_reason = 'reservation_expired')
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_activated(db: pg.Executor, pass_id: str, yandex_uid: str | None) -> model.Subscription | None:
    """Activates a reservation, also one that time has ended; None when it is in no such state."""
    return await db.maybe(model.Subscription.from_row, MARK_ACTIVATED, pass_id=pass_id, yandex_uid=yandex_uid)


MARK_CANCELED = f"""
UPDATE subscriptions.subscriptions s SET status = 'canceled', cancel_reason = %(reason)s, canceled_at = now()
WHERE pass_id = %(pass_id)s AND status = 'reserved'
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_canceled(db: pg.Executor, pass_id: str, reason: str) -> model.Subscription | None:
    """Cancels a reservation; None when it is none."""
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


async def mark_overdue(db: pg.Executor, *, maas_user_id: str | None = None, limit: int = 500) -> int:
    """Writes down what time has done, to one person's subscriptions or to anybody's; how many moved."""
    return await db.run(MARK_OVERDUE, maas_user_id=maas_user_id, limit=limit)
