"""SQL about promo codes, in the rows of `subscriptions.subscriptions`."""

import datetime
from collections.abc import Sequence

from kit import pg

MARK_ISSUED = """
UPDATE subscriptions.subscriptions SET promocode = %(promocode)s, promocode_status = 'issued'
WHERE pass_id = %(pass_id)s AND promocode IS NULL AND status <> 'canceled'
"""


async def mark_issued(db: pg.Executor, pass_id: str, promocode: str) -> int:
    """Keeps the code; 0 when the subscription has one already, or was revoked meanwhile."""
    return await db.run(MARK_ISSUED, pass_id=pass_id, promocode=promocode)


MARK_REVOKED = """
UPDATE subscriptions.subscriptions
SET promocode = coalesce(promocode, %(promocode)s), promocode_status = 'revoked'
WHERE pass_id = %(pass_id)s AND status = 'canceled' AND promocode_status <> 'revoked'
"""


async def mark_revoked(db: pg.Executor, pass_id: str, promocode: str) -> int:
    """Notes that the code of a revoked subscription is ended; 0 when that is known."""
    return await db.run(MARK_REVOKED, pass_id=pass_id, promocode=promocode)


MARK_WANTED = """
UPDATE subscriptions.subscriptions SET promocode_status = 'pending'
WHERE pass_id = %(pass_id)s AND status = 'activated' AND expiration_datetime > now() AND yandex_uid IS NOT NULL
  AND promocode_status IN ('none', 'failed')
"""


async def mark_wanted(db: pg.Executor, pass_id: str) -> int:
    """Has a code that was given up, or never ordered, waited for from now on; 0 when none is to be had."""
    return await db.run(MARK_WANTED, pass_id=pass_id)


LIST_KNOWN = "SELECT promocode FROM subscriptions.subscriptions WHERE promocode = ANY(%(promocodes)s)"


async def list_known(db: pg.Executor, promocodes: Sequence[str]) -> list[str]:
    """Those of the codes that belong to a subscription."""
    return await db.all(pg.value, LIST_KNOWN, promocodes=list(promocodes))


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
  AND coalesce(promocode_wanted_at, activated_at) < now() - %(after)s
"""


async def mark_failed(db: pg.Executor, after: datetime.timedelta) -> int:
    """Gives up codes that did not come within `after` of the first order; how many."""
    return await db.run(MARK_FAILED, after=after)
