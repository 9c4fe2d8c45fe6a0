"""The moves of a subscription."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit import pg, stq
from maas.subscriptions import model, queries
from maas.subscriptions.model import Status
from maas.users import actions as users


async def reserve(
    *, db: pg.Database, sale: model.Sale, variants: Sequence[Mapping[str, Any]], ttl_s: int
) -> model.Subscription:
    """Promises a subscription for `ttl_s` seconds (MX-17, MA-45, MA-46); the same sale again gives the same answer.

    PassIdConflict, TariffMismatch, users.MaasUserNotFound, ActiveSubscriptionExists.
    """
    if (known := await queries.find(db, sale.pass_id)) is not None:
        return _repeated(known, sale)
    series = model.series_of(sale.tariff, variants)
    user = await users.get(db=db, maas_user_id=sale.maas_user_id)
    try:
        async with db.transaction() as tx:
            await queries.mark_overdue(tx, maas_user_id=sale.maas_user_id)
            return await queries.insert(tx, sale, yandex_uid=user.yandex_uid, promocode_series_id=series, ttl_s=ttl_s)
    except pg.UniqueViolation:
        # Lost a race: against the same sale it is a repeat, against another one a refusal.
        if (known := await queries.find(db, sale.pass_id)) is not None:
            return _repeated(known, sale)
        raise model.ActiveSubscriptionExists from None


def _repeated(known: model.Subscription, sale: model.Sale) -> model.Subscription:
    if not known.is_of(sale) or known.status not in (Status.RESERVED, Status.ACTIVATED):
        raise model.PassIdConflict(status=known.status)
    return known


async def activate(*, db: pg.Database, queue: stq.Queue, pass_id: str) -> model.Subscription:
    """The person has paid (MX-19, MA-48..50): active from now on, the promo code on its way when the owner is known.

    A reservation that time has ended is honoured, unless another subscription is live. SubscriptionNotFound,
    SubscriptionCanceled, SubscriptionExpired, ActiveSubscriptionExists.
    """
    known = await get(db=db, pass_id=pass_id)
    user = await users.get(db=db, maas_user_id=known.maas_user_id)
    try:
        async with db.transaction() as tx:
            activated = await queries.mark_activated(tx, pass_id, user.yandex_uid)
            if activated is not None and activated.needs_promocode:
                await order_promocode(queue, tx, pass_id)
    except pg.UniqueViolation:
        raise model.ActiveSubscriptionExists(pass_id=pass_id) from None
    if activated is None:
        return _already(await get(db=db, pass_id=pass_id), Status.ACTIVATED)
    return activated


async def cancel(*, db: pg.Database, pass_id: str, reason: str) -> model.Subscription:
    """The payment failed (MX-20, MA-51): this pass can never be used.

    SubscriptionNotFound, SubscriptionAlreadyActivated, SubscriptionExpired.
    """
    canceled = await queries.mark_canceled(db, pass_id, reason)
    return canceled or _already(await get(db=db, pass_id=pass_id), Status.CANCELED)


def _already(found: model.Subscription, wanted: Status) -> model.Subscription:
    if found.status is wanted:
        return found
    refusals = {
        Status.CANCELED: model.SubscriptionCanceled,
        Status.EXPIRED: model.SubscriptionExpired,
        Status.ACTIVATED: model.SubscriptionAlreadyActivated,
    }
    raise refusals[found.status](status=found.status)


async def get(*, db: pg.Executor, pass_id: str) -> model.Subscription:
    """The subscription; SubscriptionNotFound."""
    found = await queries.find(db, pass_id)
    if found is None:
        raise model.SubscriptionNotFound
    return found


async def get_latest(*, db: pg.Executor, maas_user_id: str) -> model.Subscription:
    """The person's live subscription, else the last one; SubscriptionNotFound."""
    found = await queries.find_latest(db, maas_user_id)
    if found is None:
        raise model.SubscriptionNotFound
    return found


async def get_visible(*, db: pg.Executor, maas_user_id: str) -> model.Subscription:
    """What the person may see: a reservation is nobody's to see yet (MX-15). SubscriptionNotFound."""
    found = await get_latest(db=db, maas_user_id=maas_user_id)
    if found.status is Status.RESERVED:
        raise model.SubscriptionNotFound
    return found


async def find_by_promocode(*, db: pg.Executor, promocode: str, yandex_uid: str) -> model.Subscription | None:
    """The subscription that this code belongs to; None also when the code is somebody else's."""
    found = await queries.find_by_promocode(db, promocode)
    return found if found is not None and found.yandex_uid == yandex_uid else None


async def bind_owner(*, tx: pg.Transaction, queue: stq.Queue, maas_user_id: str, yandex_uid: str) -> None:
    """Gives the person's live subscription its account, and the account its promo code (MA-66, MA-67)."""
    bound = await queries.mark_owner(tx, maas_user_id, yandex_uid)
    if bound is not None and bound.needs_promocode:
        await order_promocode(queue, tx, bound.pass_id)


async def order_promocode(queue: stq.Queue, tx: pg.Transaction, pass_id: str) -> None:
    """Has the promo code issued after this transaction, once however often it is ordered."""
    await queue.enqueue(tx, "maas.promocode.issue", task_id=pass_id, kwargs={"pass_id": pass_id}, again=True)


async def settle_overdue(*, db: pg.Database) -> int:
    """Expires what is over and cancels what was not paid in time; how many subscriptions moved."""
    moved, batch = 0, 1
    while batch:
        batch = await queries.mark_overdue(db)
        moved += batch
    return moved
