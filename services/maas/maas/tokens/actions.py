"""What is done with purchase tokens."""

from kit import config, pg
from maas.tokens import model, queries


async def issue(
    *, db: pg.Executor, salt: config.Secret, yandex_uid: str, maas_user_id: str, tariff_id: str, ttl_s: int
) -> model.Issued:
    """A token with which this account may buy this tariff for this person, once, within `ttl_s` seconds (MA-58)."""
    token = model.new_token()
    expires_at = await queries.insert(
        db,
        model.hash_of(token, salt),
        yandex_uid=yandex_uid,
        maas_user_id=maas_user_id,
        tariff_id=tariff_id,
        ttl_s=ttl_s,
    )
    return model.Issued(token, expires_at)


async def check(*, db: pg.Executor, salt: config.Secret, token: str, maas_user_id: str, tariff_id: str) -> bytes:
    """The hash of a token that may be spent on this purchase (MA-45 e).

    UserTokenMismatch, the same for an unknown token, an expired or used one, another person's and another tariff's.
    """
    token_hash = model.hash_of(token, salt)
    if not await queries.is_good(db, token_hash, maas_user_id=maas_user_id, tariff_id=tariff_id):
        raise model.UserTokenMismatch
    return token_hash


async def spend(*, tx: pg.Transaction, token_hash: bytes, pass_id: str) -> None:
    """Uses up a checked token in the transaction of its purchase; UserTokenMismatch when it was lost meanwhile."""
    if not await queries.mark_used(tx, token_hash, pass_id):
        raise model.UserTokenMismatch


async def is_of(*, db: pg.Executor, salt: config.Secret, token: str, pass_id: str) -> bool:
    """True when this pass was bought with this token, so that a repeat of the purchase is known as one."""
    return await queries.is_of(db, model.hash_of(token, salt), pass_id)


async def purge(*, db: pg.Executor, days: int) -> int:
    """Forgets tokens that expired more than `days` days ago; how many."""
    return await pg.in_batches(lambda limit: queries.delete_old(db, days=days, limit=limit))
