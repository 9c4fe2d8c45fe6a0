"""Issuing promo codes."""

from collections.abc import Sequence

from clients import coupons as coupons_client
from kit import clock, logs, metrics, pg, stq
from maas.promocodes import model, queries
from maas.subscriptions import actions as subscriptions
from maas.subscriptions.model import PromocodeStatus, Subscription

_BATCH = 500
_FAILED = metrics.counter("maas_promocodes_failed_total", "Promo codes that were given up after 24 hours")
_LAG = metrics.histogram(
    "maas_promocode_issue_seconds",
    "From the activation to the promo code",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86400),
)


async def issue(*, db: pg.Database, coupons: coupons_client.Coupons, pass_id: str, claim: stq.Claim) -> None:
    """Has coupons make the code of a subscription and keeps it (MA-48, MA-67); does nothing when it is not needed."""
    subscription = await subscriptions.get(db=db, pass_id=pass_id)
    if not subscription.needs_promocode or subscription.yandex_uid is None:
        return
    promocode = await _generated(coupons, subscription, subscription.yandex_uid)
    async with db.transaction() as tx:
        await queries.mark_issued(tx, pass_id, promocode)
        await claim.finish(tx)
    if (since := subscription.promocode_wanted_at or subscription.activated_at) is not None:
        _LAG.observe((clock.now() - since).total_seconds())


async def _generated(coupons: coupons_client.Coupons, subscription: Subscription, yandex_uid: str) -> str:
    return await coupons.generate(
        token=subscription.pass_id,
        series_id=subscription.promocode_series_id,
        yandex_uid=yandex_uid,
        rides=subscription.tariff.taxi_rides,
        expires_at=subscription.expiration_datetime,
    )


async def revoke(*, db: pg.Database, coupons: coupons_client.Coupons, pass_id: str, claim: stq.Claim) -> None:
    """Ends the code of a revoked subscription at coupons; does nothing when there can be none.

    A code that was ordered and never came may be there all the same: coupons gives it by its token, and ends it.
    """
    subscription = await subscriptions.get(db=db, pass_id=pass_id)
    if not model.is_to_be_revoked(subscription) or subscription.yandex_uid is None:
        return
    promocode = subscription.promocode or await _generated(coupons, subscription, subscription.yandex_uid)
    await coupons.deactivate(promocode=promocode, token=pass_id)
    async with db.transaction() as tx:
        await queries.mark_revoked(tx, pass_id, promocode)
        await claim.finish(tx)


async def order_revocation(queue: stq.Queue, tx: pg.Transaction, pass_id: str) -> None:
    """Has the promo code ended after this transaction, once however often it is ordered."""
    await queue.enqueue(tx, "maas.promocode.revoke", task_id=pass_id, kwargs={"pass_id": pass_id}, again=True)


async def reissue(*, db: pg.Database, queue: stq.Queue, pass_id: str) -> Subscription:
    """Orders a missing code again, also one that was given up; nothing changes while it is under way or there.

    subscriptions.SubscriptionNotFound, PromocodeNotDue.
    """
    async with db.transaction() as tx:
        await queries.mark_wanted(tx, pass_id)
        found = await subscriptions.get(db=tx, pass_id=pass_id)
        if found.needs_promocode:
            await subscriptions.order_promocode(queue, tx, pass_id)
    if not found.needs_promocode and found.promocode_status is not PromocodeStatus.ISSUED:
        raise model.PromocodeNotDue(status=found.status, promocode_status=found.promocode_status)
    return found


async def list_ours(*, db: pg.Executor, promocodes: Sequence[str]) -> list[str]:
    """Those of `promocodes` that belong to subscriptions, in the order asked (MA-98)."""
    ours = set(await queries.list_known(db, promocodes))
    return [promocode for promocode in dict.fromkeys(promocodes) if promocode in ours]


async def reconcile(*, db: pg.Database, queue: stq.Queue) -> int:
    """Orders every missing code again and gives up the hopeless ones; how many were ordered."""
    ordered, after = 0, ""
    while pass_ids := await queries.list_without_code(db, after=after, limit=_BATCH):
        async with db.transaction() as tx:
            for pass_id in pass_ids:
                await subscriptions.order_promocode(queue, tx, pass_id)
        ordered, after = ordered + len(pass_ids), pass_ids[-1]
    if failed := await queries.mark_failed(db, model.GIVE_UP_AFTER):
        _FAILED.inc(failed)
        logs.error("promocodes_failed", count=failed)
    return ordered
