"""Checking promo codes and keeping the ledger."""

from clients import vtb as vtb_client
from kit import pg, stq
from maas.rides import model, queries
from maas.rides.model import RideState
from maas.subscriptions import actions as subscriptions
from maas.subscriptions.model import Subscription


async def check(*, db: pg.Executor, asked: model.Asked, rules: model.Rules) -> model.Verdict:
    """Whether the code pays for the trip, by the rules of MA-90 in their order; changes nothing."""
    subscription = await _paying(db, asked)
    ride = await queries.find(db, asked.order_id) if asked.order_id else None
    holds = ride is not None and subscription is not None and ride.pass_id == subscription.pass_id
    try:
        if not (holds and asked.stage is model.Stage.COMPLETION):
            is_held = holds and ride is not None and ride.state is RideState.HELD
            model.check_subscription(subscription, holds_already=is_held)
        rules.check(asked.trip)
    except model.RuleBroken as refusal:
        return model.Verdict(refusal)
    return model.Verdict(None)


async def hold(*, db: pg.Database, order_id: str, asked: model.Asked, rules: model.Rules) -> model.LedgerEntry:
    """Takes one ride of the subscription for an order that is about to start; the same order again changes nothing.

    The rules of MA-90 refuse by their own names; RideReleased, OrderConflict.
    """
    subscription = await _paying(db, asked)
    if (known := await queries.find(db, order_id)) is not None:
        return await _held_again(db, known, subscription)
    live = model.check_subscription(subscription, holds_already=False)
    rules.check(asked.trip)
    try:
        held = await queries.insert_held(db, order_id, live.pass_id)
    except pg.CheckViolation as violation:
        if violation.constraint != "subscriptions_rides_within_tariff":
            raise
        raise model.NoRidesLeft(rides_left=0) from None
    if held is None:
        # The same order held it a moment ago, or the subscription ended a moment ago.
        return await _held_again(db, await queries.find(db, order_id), live)
    return await _entry(db, held)


async def _paying(db: pg.Executor, asked: model.Asked) -> Subscription | None:
    return await subscriptions.find_by_promocode(db=db, promocode=asked.promocode, yandex_uid=asked.yandex_uid)


async def _held_again(
    db: pg.Executor, known: model.Ride | None, subscription: Subscription | None
) -> model.LedgerEntry:
    if known is None:
        raise model.SubscriptionNotActive
    if subscription is None or known.pass_id != subscription.pass_id:
        raise model.OrderConflict
    if known.state is RideState.RELEASED:
        raise model.RideReleased(reason=known.reason)
    return await _entry(db, known)


async def complete(*, db: pg.Database, queue: stq.Queue, ended: model.Ended, rules: model.Rules) -> model.LedgerEntry:
    """Ends a held ride (MA-104): used when it kept the rules, given back with the rule's name when it did not.

    A ride that has ended answers as it did. RideNotFound.
    """
    broken: model.RuleBroken | None = None
    try:
        rules.check(ended.trip)
    except model.RuleBroken as refusal:
        broken = refusal
    order_id = ended.order_id
    async with db.transaction() as tx:
        if broken is not None:
            ride = await queries.mark_released(tx, order_id, broken.code)
        elif (ride := await queries.mark_used(tx, order_id, ended.trip.price, ended.finished_at)) is not None:
            await queue.enqueue(tx, "maas.ride.report", task_id=order_id, kwargs={"order_id": order_id})
    return await _entry(db, ride or await _ended(db, order_id))


async def release(*, db: pg.Database, order_id: str) -> model.LedgerEntry:
    """Gives a held ride back, the order came to nothing; a ride that has ended answers as it did. RideNotFound."""
    released = await queries.mark_released(db, order_id, "order_canceled")
    return await _entry(db, released or await _ended(db, order_id))


async def report(*, db: pg.Database, vtb: vtb_client.Vtb, order_id: str) -> None:
    """Tells VTB of a finished taxi ride (MA-11); VTB knows rides by their order, so a repeat is harmless."""
    told = await queries.find_report(db, order_id)
    if told is None:
        return
    await vtb.report_taxi_ride(
        ride_id=told.order_id,
        pass_id=told.pass_id,
        maas_user_id=told.maas_user_id,
        cost=told.cost,
        finished_at=told.finished_at,
        taxi_rides_left=told.rides_left,
    )


async def _ended(db: pg.Executor, order_id: str) -> model.Ride:
    """How a ride that could not be ended has ended before; one that is held only since a moment ago was not there."""
    ride = await queries.find(db, order_id)
    if ride is None or ride.state is RideState.HELD:
        raise model.RideNotFound
    return ride


async def _entry(db: pg.Executor, ride: model.Ride) -> model.LedgerEntry:
    subscription = await subscriptions.get(db=db, pass_id=ride.pass_id)
    return model.LedgerEntry(ride, subscription.rides)
