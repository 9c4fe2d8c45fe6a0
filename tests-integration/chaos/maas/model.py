"""maas as one person's subscriptions and rides see it: for each state and call, every answer that may be given.

Two things of it are not the callers' to decide, so that more than one answer is allowed: when the promo code of an
activated subscription arrives, and which of several ended subscriptions is a person's last.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from chaos import linearizability
from chaos.linearizability import Impossible, Operation, type_of_answer
from chaos.maas.person import (
    ACTIVATED,
    CANCELED,
    EXPIRED,
    HELD,
    LAPSED,
    LIVE,
    RELEASED,
    RESERVED,
    RIDES_OF_TARIFF,
    USED,
    Action,
    Pass,
    Person,
    Ride,
)

MOST_EXTENSIONS = 3
_REFUSED_AS = {
    LAPSED: "subscription_canceled",
    CANCELED: "subscription_canceled",
    EXPIRED: "subscription_expired",
    ACTIVATED: "subscription_already_activated",
}

type_of_outcome = tuple[type_of_answer, Person]


def possible(state: Person, action: Action) -> Iterator[type_of_outcome]:
    """Every answer to the call in this state, with the state after it."""
    return KINDS[action.kind](state, action)


def _refused(code: str) -> type_of_answer:
    return "refused", code


def _reserve(state: Person, action: Action) -> Iterator[type_of_outcome]:
    known, spent_for = state.find_pass(action.pass_id), dict(state.spent).get(action.token)
    if known is not None:
        is_own_token = not action.token or spent_for == action.pass_id
        is_repeat = known.tariff == action.tariff and known.status in LIVE and is_own_token
        yield ("ok", known.status) if is_repeat else _refused("pass_id_conflict"), state
        return
    is_good_token = not action.token or (spent_for is None and action.token.endswith(f" {action.tariff}"))
    # Of two reasons either may be told: they are looked at one after the other.
    if not is_good_token:
        yield _refused("user_token_mismatch"), state
    if state.has_live:
        yield _refused("active_subscription_exists"), state
    if is_good_token and not state.has_live:
        made = state.with_pass(action.pass_id, Pass(RESERVED, action.tariff))
        yield ("ok", RESERVED), made.with_spent(action.token, action.pass_id) if action.token else made


def _start(state: Person, action: Action) -> Iterator[type_of_outcome]:
    yield _refused("active_subscription_exists") if state.has_live else ("ok",), state


def _activate(state: Person, action: Action) -> Iterator[type_of_outcome]:
    known = state.find_pass(action.pass_id)
    if known is None:
        yield _refused("subscription_not_found"), state
    elif known.status == LAPSED and state.has_live:
        yield _refused("active_subscription_exists"), state
    elif known.status in (RESERVED, LAPSED):
        yield ("ok", ACTIVATED), state.with_pass(action.pass_id, known._replace(status=ACTIVATED))
    else:
        yield ("ok", ACTIVATED) if known.status == ACTIVATED else _refused(_REFUSED_AS[known.status]), state


def _cancel(state: Person, action: Action) -> Iterator[type_of_outcome]:
    known = state.find_pass(action.pass_id)
    if known is None:
        yield _refused("subscription_not_found"), state
    elif known.status in (RESERVED, LAPSED):
        yield ("ok", CANCELED), state.with_pass(action.pass_id, known._replace(status=CANCELED))
    else:
        yield ("ok", CANCELED) if known.status == CANCELED else _refused(_REFUSED_AS[known.status]), state


def _extend(state: Person, action: Action) -> Iterator[type_of_outcome]:
    known = state.find_pass(action.pass_id)
    if known is None:
        yield _refused("subscription_not_found"), state
    elif known.status != RESERVED:
        yield _refused(_REFUSED_AS[known.status]), state
    elif known.extensions >= MOST_EXTENSIONS:
        yield _refused("extension_limit_reached"), state
    else:
        extended = known._replace(extensions=known.extensions + 1)
        yield ("ok", RESERVED), state.with_pass(action.pass_id, extended)


def _info(state: Person, action: Action) -> Iterator[type_of_outcome]:
    known = state.find_pass(action.pass_id)
    if known is None:
        yield _refused("subscription_not_found"), state
    else:
        yield _told(state, action.pass_id, known), state


def _latest(state: Person, action: Action) -> Iterator[type_of_outcome]:
    live = [each for each in state.passes if each[1].status in LIVE]
    for pass_id, known in live or state.passes:
        yield _told(state, pass_id, known), state
    if not state.passes:
        yield _refused("subscription_not_found"), state


def _told(state: Person, pass_id: str, known: Pass) -> type_of_answer:
    """Pass, status, whether time ended its reservation, rides bought, used and held."""
    counts = (state.rides_in(pass_id, USED), state.rides_in(pass_id, HELD))
    status = CANCELED if known.status == LAPSED else known.status
    return "ok", pass_id, status, known.status == LAPSED, RIDES_OF_TARIFF[known.tariff], *counts


def _hold(state: Person, action: Action) -> Iterator[type_of_outcome]:
    ride, known = state.find_ride(action.order_id), state.find_pass(action.pass_id)
    if ride is not None:
        yield _held_again(ride, action), state
        return
    if known is None or not known.has_code or known.status != ACTIVATED:
        yield _refused("subscription_not_active"), state
    if known is not None and known.status == ACTIVATED:
        # The promo code may have arrived by now.
        coded = state.with_pass(action.pass_id, known._replace(has_code=True))
        if state.rides_in(action.pass_id, HELD) + state.rides_in(action.pass_id, USED) >= RIDES_OF_TARIFF[known.tariff]:
            yield _refused("no_rides_left"), coded
        else:
            held = Ride(action.pass_id)
            yield _entry(held), coded.with_ride(action.order_id, held)


def _held_again(ride: Ride, action: Action) -> type_of_answer:
    if ride.pass_id != action.pass_id:
        return _refused("order_conflict")
    return _refused("ride_released") if ride.state == RELEASED else _entry(ride)


def _complete(state: Person, action: Action) -> Iterator[type_of_outcome]:
    yield from _end(state, action, (USED, None) if action.keeps_rules else (RELEASED, "payment_method_not_allowed"))


def _release(state: Person, action: Action) -> Iterator[type_of_outcome]:
    yield from _end(state, action, (RELEASED, "order_canceled"))


def _end(state: Person, action: Action, end: tuple[str, str | None]) -> Iterator[type_of_outcome]:
    ride = state.find_ride(action.order_id)
    if ride is None:
        yield _refused("ride_not_found"), state
        return
    ended = Ride(ride.pass_id, *end) if ride.state == HELD else ride
    yield _entry(ended), state.with_ride(action.order_id, ended)


def _entry(ride: Ride) -> type_of_answer:
    return "ok", ride.pass_id, ride.state, ride.reason


def _lapse(state: Person, action: Action) -> Iterator[type_of_outcome]:
    yield from _by_time(state, action, RESERVED, LAPSED)


def _expire(state: Person, action: Action) -> Iterator[type_of_outcome]:
    yield from _by_time(state, action, ACTIVATED, EXPIRED)


def _by_time(state: Person, action: Action, before: str, after: str) -> Iterator[type_of_outcome]:
    known = state.find_pass(action.pass_id)
    if known is None or known.status != before:
        yield ("ok", 0), state
    else:
        yield ("ok", 1), state.with_pass(action.pass_id, known._replace(status=after))


KINDS: dict[str, Callable[[Person, Action], Iterator[type_of_outcome]]] = {
    "start": _start,
    "reserve": _reserve,
    "activate": _activate,
    "cancel": _cancel,
    "extend": _extend,
    "info": _info,
    "latest": _latest,
    "hold": _hold,
    "complete": _complete,
    "release": _release,
    "lapse": _lapse,
    "expire": _expire,
}
READS = frozenset({"info", "latest", "start"})
_OF_RIDES = frozenset({"hold", "complete", "release"})


def check(history: Sequence[Operation[Action]]) -> Impossible[Action, Person] | None:
    """What in the history of one person can't have been."""
    payers = defaultdict[str, set[str]](set)
    for each in history:
        if each.action.kind == "hold":
            payers[each.action.order_id].add(each.action.pass_id)

    def touches(operation: Operation[Action]) -> Iterable[str]:
        action = operation.action
        if action.kind in _OF_RIDES:
            return {action.order_id} | payers[action.order_id]
        if action.kind == "latest":
            # Whose pass is told is known, and the others matter only as they are live.
            return {"live", str((operation.answer or (None, None))[1])}
        return {action.pass_id} if action.kind == "info" else {action.pass_id, "live", action.token}

    return linearizability.check(linearizability.Model(Person(), possible, touches), history)
