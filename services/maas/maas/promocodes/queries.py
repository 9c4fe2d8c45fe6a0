"""SQL about promo codes, in the rows of `subscriptions.subscriptions`."""

import datetime

from kit import pg

MARK_ISSUED = """
UPDATE subscriptions.subscriptions SET promocode = %(promocode)s, promocode_status = 'issued'
WHERE pass_id = %(pass_id)s AND promocode IS NULL
"""


async def mark_issued(db: pg.Executor, pass_id: str, promocode: str) -> int:
    """Keeps the code; 0 when the subscription has one already."""
    return await db.run(MARK_ISSUED, pass_id=pass_id, promocode=promocode)


LIST_WITHOUT_CODE = """
SELECT pass_id FROM subscriptions.subscriptions
WHERE status = 'activated' AND expiration_datetime > now() AND promocode IS NULL AND yandex_uid IS NOT NULL
  AND promocode_status <> 'failed' AND pass_id > %(after)s
ORDER BY pass_id LIMIT %(limit)s
"""


async def list_without_code(db: pg.Executor, *, after: str, limit: int) -> list[str]:
    """Activated, bound subscriptions that still lack their code, in the order of pass_id."""
    return await db.all(pg.value, LIST_WITHOUT_CODE, after=after, limit=limit)


MARK_FAILED = """
UPDATE subscriptions.subscriptions SET promocode_status = 'failed'
WHERE status = 'activated' AND promocode IS NULL AND yandex_uid IS NOT NULL AND promocode_status <> 'failed'
  AND activated_at < now() - %(after)s
"""


async def mark_failed(db: pg.Executor, after: datetime.timedelta) -> int:
    """Gives up codes that did not come within `after` of the activation; how many."""
    return await db.run(MARK_FAILED, after=after)
