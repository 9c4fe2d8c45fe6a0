"""What support looks up, and what it may do."""

from collections.abc import Iterator, Sequence

from clients import personal as personal_client
from kit import pg, stq
from maas.promocodes import actions as promocodes
from maas.promocodes.model import is_to_be_revoked
from maas.subscriptions import actions as subscriptions
from maas.subscriptions.model import Status, Subscription, SubscriptionCanceled, SubscriptionExpired
from maas.support import model, queries
from maas.users.model import PhoneInvalid, normalized_phone

_ISSUE = "maas.promocode.issue"


async def find(*, db: pg.Executor, by: model.By, value: str) -> list[model.Case]:
    """Everybody who goes by `value`, with everything that they bought; NobodyFound.

    An account may stand for several: those who bought with it before, and the one who has it now.
    """
    maas_user_ids = await queries.list_buyers(db, by, value)
    persons = await queries.list_persons(db, by, value, maas_user_ids=maas_user_ids)
    known = {person.maas_user_id for person in persons}
    persons += [model.Person(maas_user_id) for maas_user_id in maas_user_ids if maas_user_id not in known]
    if not persons:
        raise model.NobodyFound
    return [await _case(db, person) for person in persons]


async def find_by_phone(*, db: pg.Executor, personal: personal_client.Personal, phone: str) -> list[model.Case]:
    """Whose phone this is; it goes to personal and nowhere else. users.PhoneInvalid, NobodyFound."""
    try:
        personal_phone_id = await personal.store_phone(normalized_phone(phone))
    except personal_client.PhoneInvalid:
        raise PhoneInvalid from None
    return await find(db=db, by=model.By.PERSONAL_PHONE_ID, value=personal_phone_id)


async def _case(db: pg.Executor, person: model.Person) -> model.Case:
    if person.maas_user_id is None:
        return model.Case(person, (), ())
    histories = await queries.list_histories(db, person.maas_user_id)
    pass_ids = [history.pass_id for history in histories]
    rides = await queries.list_rides(db, pass_ids)
    tasks = await queries.list_tasks(db, _tasks_of(person.maas_user_id, pass_ids, rides))
    return model.Case(person, [await _purchase(db, history, rides, tasks) for history in histories], tasks)


def _tasks_of(maas_user_id: str, pass_ids: Sequence[str], rides: Sequence[model.Ride]) -> Iterator[tuple[str, str]]:
    yield "maas.user.match", maas_user_id
    for pass_id in pass_ids:
        yield _ISSUE, pass_id
        yield "maas.promocode.revoke", pass_id
    for ride in rides:
        yield "maas.ride.report", ride.order_id


async def _purchase(
    db: pg.Executor, history: model.History, rides: Sequence[model.Ride], tasks: Sequence[model.Task]
) -> model.Purchase:
    pass_id = history.pass_id
    return model.Purchase(
        subscription=await subscriptions.get(db=db, pass_id=pass_id),
        history=history,
        rides=[ride for ride in rides if ride.pass_id == pass_id],
        issue=next((task for task in tasks if (task.queue, task.task_id) == (_ISSUE, pass_id)), None),
    )


async def get_purchase(*, db: pg.Executor, pass_id: str) -> model.Purchase:
    """One subscription as `find` tells of it; NobodyFound."""
    cases = await find(db=db, by=model.By.PASS_ID, value=pass_id)
    return next(each for case in cases for each in case.purchases if each.subscription.pass_id == pass_id)


async def revoke(*, db: pg.Database, queue: stq.Queue, pass_id: str, reason: str) -> Subscription:
    """Ends an active subscription, nothing is paid back (MA-99), and has its promo code ended; once more is the same.

    A ride under way comes to its end. subscriptions.SubscriptionNotFound, SubscriptionNotActivated,
    subscriptions.SubscriptionExpired, subscriptions.SubscriptionCanceled when the bank canceled it.
    """
    async with db.transaction() as tx:
        await queries.mark_revoked(tx, pass_id, reason)
        found = await subscriptions.get(db=tx, pass_id=pass_id)
        if is_to_be_revoked(found):
            await promocodes.order_revocation(queue, tx, pass_id)
    if found.cancel_reason != model.REVOKED:
        raise _not_revocable(found)
    return found


def _not_revocable(
    found: Subscription,
) -> model.SubscriptionNotActivated | SubscriptionExpired | SubscriptionCanceled:
    if found.status is Status.RESERVED:
        return model.SubscriptionNotActivated(status=found.status)
    refusal = SubscriptionExpired if found.status is Status.EXPIRED else SubscriptionCanceled
    return refusal(status=found.status)
