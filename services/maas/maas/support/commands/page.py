"""The pages that support reads: one sentence per question, times in UTC, promo codes by their last characters."""

import datetime
from collections.abc import Iterable, Iterator, Sequence

from kit import clock
from maas.rides.model import RideState
from maas.subscriptions.model import Status, Subscription
from maas.support import model
from maas.support.model import Code

_LABEL = 14
_SHOWN_RIDES = 5
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def of_cases(cases: Iterable[model.Case], *, order_id: str | None = None) -> Iterator[str]:
    """Everything about these people; the ride of `order_id` is pointed at."""
    for number, case in enumerate(cases):
        if number:
            yield from ("", "")
        yield from _person(case.person)
        for purchase in case.purchases:
            yield ""
            yield from of_purchase(purchase, order_id=order_id)
        if case.person.maas_user_id is not None and not case.purchases:
            yield from ("", "Nothing was bought yet.")
        yield from _tasks(case.tasks)


def _person(person: model.Person) -> Iterator[str]:
    if person.maas_user_id is None:
        yield "Nobody of the metro: a passenger who looked into the app and has bought nothing"
    else:
        yield f"Person {person.maas_user_id}"
    yield from _told("phone", person.personal_phone_id and f"personal_phone_id {person.personal_phone_id}")
    yield from _told("taxi's phone", person.phone_id and f"phone_id {person.phone_id}")
    yield from _told("account", _account(person))
    yield from _told("known since", _at(person.created_at))


def _account(person: model.Person) -> str:
    if person.yandex_uid is not None:
        return f"{person.yandex_uid}, {person.uid_kind}"
    asked = "" if person.checked_at is None else f" (zalogin knew none at {_moment(person.checked_at)})"
    return f"none yet{asked}: it is bound when the person opens the app with this phone"


def of_purchase(purchase: model.Purchase, *, order_id: str | None = None) -> Iterator[str]:
    """Everything about one subscription; the ride of `order_id` is pointed at."""
    subscription, tariff = purchase.subscription, purchase.subscription.tariff
    yield f"Subscription {subscription.pass_id} {_standing(subscription)}"
    if purchase.is_paid_for_nothing:
        yield from _told("PAID IN VAIN", _paid_for_nothing(subscription))
    price = f"{tariff.price.to_wire()['amount']} {tariff.price.currency}"
    rides, days = _count(tariff.taxi_rides, "taxi ride"), _count(tariff.duration_days, "day")
    yield from _told("tariff", f"{tariff.tariff_id}: {rides} in {days} for {price}")
    yield from _told("account", subscription.yandex_uid)
    yield from _told("reserved", _reserved(purchase))
    yield from _told("paid", _at(subscription.activated_at))
    yield from _told("ended", _ended(purchase))
    yield from _told("promo code", _code(purchase))
    if subscription.activated_at is not None:
        yield from _rides(purchase, order_id)


def _standing(subscription: Subscription) -> str:
    until, ends = subscription.reserved_until, subscription.expiration_datetime
    match subscription.status:
        case Status.RESERVED:
            return f"waits for its payment until {_moment(until)} ({_away(until)})"
        case Status.ACTIVATED:
            return f"is active until {_moment(ends)} ({_away(ends)})"
        case Status.EXPIRED:
            return f"is over since {_moment(ends)} ({_away(ends)})"
    if subscription.cancel_reason == model.REVOKED:
        return "was revoked by support"
    if subscription.cancel_reason == "reservation_expired":
        return f"was not paid in time: the reservation ended {_moment(until)} ({_away(until)})"
    return f"was canceled by the bank: {subscription.cancel_reason}"


def _paid_for_nothing(subscription: Subscription) -> str:
    refused = subscription.paid_refused_at
    when = "" if refused is None else f" at {_moment(refused)}"
    return f"the bank took the money{when}, when another subscription was live. Agree with the bank on it"


def _reserved(purchase: model.Purchase) -> str:
    extended = purchase.subscription.extensions
    often = f", extended {_count(extended, 'time')}" if extended else ""
    return f"{_moment(purchase.history.created_at)}{often}"


def _ended(purchase: model.Purchase) -> str | None:
    history = purchase.history
    moment = history.canceled_at or history.expired_at
    if moment is None:
        return None
    return f"{_moment(moment)}{f': {history.revoke_reason}' if history.revoke_reason else ''}"


def _code(purchase: model.Purchase) -> str:
    pass_id, promocode = purchase.subscription.pass_id, model.masked(purchase.subscription.promocode)
    match purchase.code:
        case Code.ISSUED:
            return f"{promocode}, issued"
        case Code.REVOKED:
            return f"{promocode}, revoked"
        case Code.BEING_REVOKED:
            return f"{promocode}, being revoked" if promocode else "ordered before the end, being revoked"
        case Code.NOT_PAID:
            return "none, since the subscription was not paid"
        case Code.OVER:
            return "none, since none was made before the subscription ended"
        case Code.NO_ACCOUNT:
            return "none yet, since no account is bound: it is made when the person opens the app with this phone"
        case Code.GIVEN_UP:
            why = f" with {purchase.issue.last_error}" if purchase.issue and purchase.issue.last_error else ""
            return f"GIVEN UP after 24 hours{why}. Again: python -m maas reissue-promocode {pass_id}"
    return f"being made: {_progress(purchase.issue)}"


def _progress(task: model.Task | None) -> str:
    if task is None or task.state == "dead":
        return "its order was lost, and is given again within a minute"
    if task.state == "running":
        return f"attempt {task.attempt} is running"
    failed = f"attempt {task.attempt} failed with {task.last_error}, " if task.last_error else ""
    due = "due since" if task.due_at <= clock.now() else "the next is at" if failed else "due at"
    return f"{failed}{due} {_moment(task.due_at)} ({_away(task.due_at)})"


def _rides(purchase: model.Purchase, order_id: str | None) -> Iterator[str]:
    counts = purchase.subscription.rides
    told = f"{counts.total} bought, {counts.used} used, {counts.held} held, {counts.left} left"
    yield from _told("rides", told)
    first = [ride for ride in purchase.rides if ride.state is RideState.HELD or ride.order_id == order_id]
    others = [ride for ride in purchase.rides if ride not in first]
    for ride in [*first, *others[:_SHOWN_RIDES]]:
        yield from _told("", f"{ride.order_id}  {_ride(ride)}{'  <- asked about' * (ride.order_id == order_id)}")
    if len(others) > _SHOWN_RIDES:
        yield from _told("", f"and {len(others) - _SHOWN_RIDES} more, which --json tells")


def _ride(ride: model.Ride) -> str:
    if ride.finished_at is None:
        return f"held since {_moment(ride.held_at)} ({_away(ride.held_at)})"
    if ride.state is RideState.RELEASED:
        return f"given back at {_moment(ride.finished_at)}: {ride.reason}"
    price = f", {ride.price.to_wire()['amount']} {ride.price.currency}" if ride.price else ""
    return f"used at {_moment(ride.finished_at)}{price}"


def _tasks(tasks: Sequence[model.Task]) -> Iterator[str]:
    if not tasks:
        return
    yield from ("", "Tasks that are not done")
    names = [f"{task.id}  {task.queue} {task.task_id}" for task in tasks]
    widest = max(map(len, names))
    for name, task in zip(names, tasks, strict=True):
        yield f"  {name:<{widest}}  {_task(task)}"


def _task(task: model.Task) -> str:
    error = f" with {task.last_error}" if task.last_error else ""
    if task.state == "dead":
        return f"DEAD after {_count(task.attempt, 'attempt')}{error}. Retry: python -m maas tasks retry {task.id}"
    return _progress(task)


def of_revoked(purchase: model.Purchase, *, is_repeat: bool) -> Iterator[str]:
    """What was done, and what is still going on."""
    pass_id, held = purchase.subscription.pass_id, purchase.subscription.rides.held
    yield f"{pass_id} was revoked before." if is_repeat else f"{pass_id} is revoked: it pays no rides from now on."
    if held:
        yield f"{_count(held, 'ride')} under way may still come to an end."
    if purchase.code is Code.BEING_REVOKED:
        yield f"Its promo code is being ended at coupons; see: python -m maas find --pass-id {pass_id}"
    elif purchase.code is Code.REVOKED:
        yield "Its promo code is ended at coupons."
    else:
        yield "It had no promo code."


def of_reissued(before: model.Purchase, after: model.Purchase) -> Iterator[str]:
    """What was ordered, or how far it was already."""
    pass_id = after.subscription.pass_id
    if before.code is Code.UNDER_WAY and before.issue is not None and before.issue.state != "dead":
        yield f"The promo code of {pass_id} is being made already: {_progress(after.issue)}."
    else:
        yield f"The promo code of {pass_id} is ordered again; see: python -m maas find --pass-id {pass_id}"


def of_refused_reissue(purchase: model.Purchase) -> Iterator[str]:
    """Why there is nothing to order."""
    yield f"Nothing was ordered for {purchase.subscription.pass_id}. Its promo code: {_code(purchase)}."


def _told(label: str, text: str | None) -> Iterator[str]:
    if text:
        yield f"  {label:<{_LABEL}}{text}"


def _at(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else _moment(moment)


def _moment(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _away(moment: datetime.datetime) -> str:
    """`in 29 days`, `3 hours ago`."""
    seconds = (moment - clock.now()).total_seconds()
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(seconds) >= size), (0, ""))
    if not size:
        return "now"
    count = _count(round(abs(seconds) / size), unit)
    return f"in {count}" if seconds > 0 else f"{count} ago"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
