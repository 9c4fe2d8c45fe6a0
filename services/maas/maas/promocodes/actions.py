"""Issuing promo codes."""

from clients import coupons as coupons_client
from kit import clock, logs, metrics, pg, stq
from maas.promocodes import model, queries
from maas.subscriptions import actions as subscriptions

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
    promocode = await coupons.generate(
        token=pass_id,
        series_id=subscription.promocode_series_id,
        yandex_uid=subscription.yandex_uid,
        rides=subscription.tariff.taxi_rides,
        expires_at=subscription.expiration_datetime,
    )
    async with db.transaction() as tx:
        await queries.mark_issued(tx, pass_id, promocode)
        await claim.finish(tx)
    if subscription.activated_at is not None:
        _LAG.observe((clock.now() - subscription.activated_at).total_seconds())


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
