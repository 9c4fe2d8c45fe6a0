"""SQL of `users.purchase_tokens`."""

import datetime

from kit import pg

INSERT = """
INSERT INTO users.purchase_tokens (token_hash, yandex_uid, maas_user_id, tariff_id, expires_at)
VALUES (%(token_hash)s, %(yandex_uid)s, %(maas_user_id)s, %(tariff_id)s, now() + make_interval(secs => %(ttl_s)s))
RETURNING expires_at
"""


async def insert(
    db: pg.Executor, token_hash: bytes, *, yandex_uid: str, maas_user_id: str, tariff_id: str, ttl_s: int
) -> datetime.datetime:
    """Keeps a new token for `ttl_s` seconds; when it will have expired."""
    return await db.one(
        pg.value,
        INSERT,
        token_hash=token_hash,
        yandex_uid=yandex_uid,
        maas_user_id=maas_user_id,
        tariff_id=tariff_id,
        ttl_s=ttl_s,
    )


IS_GOOD = """
SELECT EXISTS (
    SELECT FROM users.purchase_tokens
    WHERE token_hash = %(token_hash)s AND maas_user_id = %(maas_user_id)s AND tariff_id = %(tariff_id)s
      AND used_by_pass_id IS NULL AND expires_at > now())
"""


async def is_good(db: pg.Executor, token_hash: bytes, *, maas_user_id: str, tariff_id: str) -> bool:
    """True for a token of this person and tariff that is neither used nor expired."""
    return bool(await db.one(pg.value, IS_GOOD, token_hash=token_hash, maas_user_id=maas_user_id, tariff_id=tariff_id))


MARK_USED = """
UPDATE users.purchase_tokens SET used_by_pass_id = %(pass_id)s
WHERE token_hash = %(token_hash)s AND used_by_pass_id IS NULL AND expires_at > now()
"""


async def mark_used(db: pg.Executor, token_hash: bytes, pass_id: str) -> int:
    """Spends a token; 0 when another purchase or time was faster."""
    return await db.run(MARK_USED, token_hash=token_hash, pass_id=pass_id)


IS_OF = """
SELECT EXISTS (
    SELECT FROM users.purchase_tokens WHERE token_hash = %(token_hash)s AND used_by_pass_id = %(pass_id)s)
"""


async def is_of(db: pg.Executor, token_hash: bytes, pass_id: str) -> bool:
    """True when this pass was bought with this token."""
    return bool(await db.one(pg.value, IS_OF, token_hash=token_hash, pass_id=pass_id))


DELETE_OLD = """
DELETE FROM users.purchase_tokens WHERE token_hash IN (
    SELECT token_hash FROM users.purchase_tokens WHERE expires_at < now() - make_interval(days => %(days)s)
    ORDER BY expires_at LIMIT %(limit)s)
"""


async def delete_old(db: pg.Executor, *, days: int, limit: int) -> int:
    """Forgets at most `limit` tokens that expired more than `days` days ago; how many."""
    return await db.run(DELETE_OLD, days=days, limit=limit)
