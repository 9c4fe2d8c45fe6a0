"""The moves of a subscription."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit import clock, config, errors, logs, metrics, pg, stq
from maas.subscriptions import model, queries
from maas.subscriptions.model import Status
from maas.tokens import actions as tokens
from maas.users import actions as users
from maas.users.model import User

_PAID_BUT_REFUSED = metrics.counter(
    "maas_paid_but_refused_total", "Payments that came too late, when the person had another subscription"
)

logs.allow("pass_id")


@dataclass(frozen=True, slots=True)
class RulesOfConfig:
    """The pilot's model.Antifraud: the people and the number of reservations that `MAAS_ANTIFRAUD` names (T19)."""

    db: pg.Executor
    rules: Mapping[str, Any]

    async def check(self, maas_user_id: str) -> None:
        """AntifraudRefused."""
        limit = self.rules["reservations_per_day"]
        if maas_user_id in self.rules["denied_maas_user_ids"]:
            raise model.AntifraudRefused
        if limit is not None and await queries.count_reservations(self.db, maas_user_id) >= limit:
            raise model.AntifraudRefused


async def reserve(
    *, db: pg.Database, salt: config.Secret, sale: model.Sale, terms: model.Terms, ttl_s: int
) -> model.Subscription:
    """Promises a subscription for `ttl_s` seconds (MX-17, MA-45, MA-46); the same sale again gives the same answer.

    PassIdConflict, tokens.UserTokenMismatch, and the refusals of `check_sale`.
    """
    if (known := await queries.find(db, sale.pass_id)) is not None:
        return await _repeated(db, salt, known, sale)
    try:
        return await _reserved(db, salt, sale, terms, ttl_s)
    except (pg.UniqueViolation, errors.Conflict, errors.Forbidden) as refusal:
        # Lost a race: against the same sale it is a repeat, against another one a refusal.
        if (known := await queries.find(db, sale.pass_id)) is not None:
            return await _repeated(db, salt, known, sale)
        if isinstance(refusal, pg.UniqueViolation):
            raise model.ActiveSubscriptionExists from None
        raise


async def _repeated(
    db: pg.Executor, salt: config.Secret, known: model.Subscription, sale: model.Sale
) -> model.Subscription:
    if not known.is_of(sale) or known.status not in (Status.RESERVED, Status.ACTIVATED):
        raise model.PassIdConflict(status=known.status)
    token = sale.user_token
    if token is not None and not await tokens.is_of(db=db, salt=salt, token=token, pass_id=known.pass_id):
        raise model.PassIdConflict(status=known.status)
    return known


async def _reserved(
    db: pg.Database, salt: config.Secret, sale: model.Sale, terms: model.Terms, ttl_s: int
) -> model.Subscription:
    variant, user = await _agreed(db, sale.maas_user_id, sale.tariff, terms)
    token_hash = await _checked_token(db, salt, sale)
    async with db.transaction() as tx:
        await queries.mark_overdue(tx, maas_user_id=sale.maas_user_id)
        if variant.budget is not None:
            await queries.lock_budget(tx, variant.tariff.tariff_id)
        await _check_room(tx, sale.maas_user_id, variant)
        series = variant.promocode_series_id
        made = await queries.insert(tx, sale, yandex_uid=user.yandex_uid, promocode_series_id=series, ttl_s=ttl_s)
        if token_hash is not None:
            await tokens.spend(tx=tx, token_hash=token_hash, pass_id=sale.pass_id)
    return made


async def _checked_token(db: pg.Executor, salt: config.Secret, sale: model.Sale) -> bytes | None:
    if sale.user_token is None:
        return None
    whose = {"maas_user_id": sale.maas_user_id, "tariff_id": sale.tariff.tariff_id}
    return await tokens.check(db=db, salt=salt, token=sale.user_token, **whose)


async def check_sale(*, db: pg.Executor, maas_user_id: str, tariff: model.Tariff, terms: model.Terms) -> None:
    """Every check of a sale, in the order in which `reserve` makes them; changes nothing (MX-12, MA-61).

    TariffMismatch, users.MaasUserNotFound, AntifraudRefused, ActiveSubscriptionExists, BudgetExhausted. A sale in the
    app is checked for its token as well, which only `reserve` is told.
    """
    variant, _ = await _agreed(db, maas_user_id, tariff, terms)
    await _check_room(db, maas_user_id, variant)


async def _agreed(
    db: pg.Executor, maas_user_id: str, tariff: model.Tariff, terms: model.Terms
) -> tuple[model.Variant, User]:
    """What holds whatever others do meanwhile."""
    variant = model.variant_of(tariff, terms.variants)
    user = await users.get(db=db, maas_user_id=maas_user_id)
    await terms.antifraud.check(maas_user_id)
    return variant, user


async def _check_room(db: pg.Executor, maas_user_id: str, variant: model.Variant) -> None:
    """What holds until somebody else sells; `reserve` therefore looks in its transaction, under the budget's lock."""
    if await queries.has_live(db, maas_user_id):
        raise model.ActiveSubscriptionExists
    tariff_id = variant.tariff.tariff_id
    if variant.budget is not None and (await queries.count_sold(db, [tariff_id])).get(tariff_id, 0) >= variant.budget:
        raise model.BudgetExhausted(tariff_id=tariff_id)


async def count_sold(*, db: pg.Executor, tariff_ids: Sequence[str]) -> Mapping[str, int]:
    """How many subscriptions take from the budget of each tariff; one that is not there has sold none."""
    return await queries.count_sold(db, tariff_ids)


async def extend(*, db: pg.Database, pass_id: str, ttl_s: int, limit: int) -> model.Subscription:
    """Keeps the reservation of a slow payment for `ttl_s` seconds from now, at most `limit` times.

    Each call is one extension: the bank asks again only for more time. SubscriptionNotFound, ExtensionLimitReached,
    SubscriptionCanceled, SubscriptionAlreadyActivated, SubscriptionExpired.
    """
    extended = await queries.mark_extended(db, pass_id, ttl_s=ttl_s, limit=limit)
    if extended is not None:
        return extended
    found = _already(await get(db=db, pass_id=pass_id), Status.RESERVED)
    if found.extensions < limit:
        raise model.SubscriptionNotFound  # reserved a moment ago, as below
    raise model.ExtensionLimitReached(extensions=found.extensions, reserved_until=clock.to_wire(found.reserved_until))


async def activate(*, db: pg.Database, queue: stq.Queue, pass_id: str) -> model.Subscription:
    """The person has paid (MX-19, MA-48..50): active from now on, the promo code on its way when the owner is known.

    A reservation that time has ended is honoured, also beyond the budget, unless another subscription is live.
    SubscriptionNotFound, SubscriptionCanceled, SubscriptionExpired, ActiveSubscriptionExists.
    """
    known = await get(db=db, pass_id=pass_id)
    user = await users.get(db=db, maas_user_id=known.maas_user_id)
    try:
        async with db.transaction() as tx:
            activated = await queries.mark_activated(tx, pass_id, user.yandex_uid)
            if activated is not None and activated.needs_promocode:
                await order_promocode(queue, tx, pass_id)
    except pg.UniqueViolation:
        await _note_paid_refused(db, pass_id)
        raise model.ActiveSubscriptionExists(pass_id=pass_id) from None
    if activated is None:
        return _already(await get(db=db, pass_id=pass_id), Status.ACTIVATED)
    return activated


async def _note_paid_refused(db: pg.Database, pass_id: str) -> None:
    """A person has paid for nothing: support has to see it, in the log, in the metrics and in what `find` shows."""
    if await queries.mark_paid_refused(db, pass_id):
        _PAID_BUT_REFUSED.inc()
        logs.error("paid_but_refused", pass_id=pass_id)


async def cancel(*, db: pg.Database, pass_id: str, reason: str) -> model.Subscription:
    """The payment failed (MX-20, MA-51): this pass can never be used.

    SubscriptionNotFound, SubscriptionAlreadyActivated, SubscriptionExpired.
    """
    canceled = await queries.mark_canceled(db, pass_id, reason)
    return canceled or _already(await get(db=db, pass_id=pass_id), Status.CANCELED)


def _already(found: model.Subscription, wanted: Status) -> model.Subscription:
    if found.status is wanted:
        return found
    if found.status is Status.RESERVED:
        # Reserved a moment ago: it was not there when it was to be moved.
        raise model.SubscriptionNotFound
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
    return await pg.in_batches(lambda limit: queries.mark_overdue(db, limit=limit))


async def purge(*, db: pg.Database, days: int) -> int:
    """Forgets subscriptions that ended more than `days` days ago, with their rides; how many."""
    return await pg.in_batches(lambda limit: queries.delete_ended(db, days=days, limit=limit))
