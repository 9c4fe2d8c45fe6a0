"""The judge of histories is judged: it passes what has an order, and refuses what has none."""

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.linearizability import Operation
from chaos.maas import model
from chaos.maas.model import KINDS, check
from chaos.maas.person import Action, Person

PASSES, ORDERS, TARIFF = ("pass-1", "pass-2", "pass-3"), ("order-1", "order-2", "order-3"), "metro-taxi-2"
RESERVED, ACTIVATED, CANCELED = ("ok", "reserved"), ("ok", "activated"), ("ok", "canceled")
EXISTS = ("refused", "active_subscription_exists")


def _done(kind: str, begin: int, end: int, *answer: Any, **about: Any) -> Operation[Action]:
    return Operation(Action(kind, **{"pass_id": "pass-1"} | about), begin, end, answer)


def _lost(kind: str, begin: int, **about: Any) -> Operation[Action]:
    return Operation(Action(kind, **{"pass_id": "pass-1"} | about), begin)


def _reserve(begin: int, end: int, *answer: Any, pass_id: str = "pass-1") -> Operation[Action]:
    return _done("reserve", begin, end, *answer, pass_id=pass_id, tariff=TARIFF)


def _has_order(*history: Operation[Action]) -> bool:
    return check(history) is None


def test_overlapping_calls_may_take_effect_either_way() -> None:
    assert _has_order(_reserve(1, 4, *EXISTS), _reserve(2, 3, *RESERVED, pass_id="pass-2"))
    assert _has_order(_reserve(1, 4, *RESERVED), _reserve(2, 3, *EXISTS, pass_id="pass-2"))
    assert _has_order(_reserve(1, 2, *RESERVED), _done("activate", 3, 6, *ACTIVATED), _done("expire", 4, 5, "ok", 1))


def test_what_ended_before_is_seen_after() -> None:
    reserved = _reserve(1, 2, *RESERVED)
    assert not _has_order(reserved, _reserve(3, 4, *RESERVED, pass_id="pass-2"))
    assert not _has_order(reserved, _done("info", 3, 4, "refused", "subscription_not_found"))
    assert not _has_order(reserved, _done("cancel", 3, 4, *CANCELED), _done("activate", 5, 6, *ACTIVATED))
    assert not _has_order(_done("info", 1, 2, "ok", "pass-1", "reserved", False, 2, 0, 0), _reserve(3, 4, *RESERVED))


def test_two_overlapping_reservations_are_never_both_there() -> None:
    assert not _has_order(_reserve(1, 4, *RESERVED), _reserve(2, 3, *RESERVED, pass_id="pass-2"))


def test_an_unknown_outcome_may_come_late_or_never_but_not_early_nor_twice() -> None:
    lost = _lost("reserve", 1, tariff=TARIFF)
    unseen = _done("info", 2, 3, "refused", "subscription_not_found")
    seen = _done("info", 4, 5, "ok", "pass-1", "reserved", False, 2, 0, 0)
    assert _has_order(lost, unseen, seen)
    assert _has_order(lost, unseen)
    assert not _has_order(lost, seen, replace(unseen, begin=6, end=7))
    assert not _has_order(replace(lost, begin=6), seen)
    assert not _has_order(lost, seen, _done("cancel", 6, 7, *CANCELED), replace(seen, begin=8, end=9))


def test_a_ride_is_never_spent_twice() -> None:
    bought = (_reserve(1, 2, *RESERVED), _done("activate", 3, 4, *ACTIVATED))
    holds = [
        _done("hold", 5 + each, 20 + each, "ok", "pass-1", "held", None, order_id=f"order-{each}") for each in range(3)
    ]
    assert _has_order(*bought, *holds[:2])
    assert not _has_order(*bought, *holds)
    given_back = _done("release", 10, 11, "ok", "pass-1", "released", "order_canceled", order_id="order-0")
    assert _has_order(*bought, *holds, given_back)


def test_a_token_buys_once() -> None:
    token = "token-1 metro-taxi-2"
    sold = _done("reserve", 1, 2, *RESERVED, tariff=TARIFF, token=token)
    again = replace(sold, begin=3, end=4)
    canceled = _done("cancel", 5, 6, *CANCELED)
    second = replace(sold, begin=7, end=8, action=replace(sold.action, pass_id="pass-2"))
    assert _has_order(sold, again, canceled, replace(second, answer=("refused", "user_token_mismatch")))
    assert not _has_order(sold, canceled, second)
    assert not _has_order(sold, replace(again, answer=("refused", "user_token_mismatch")))
    assert not _has_order(replace(sold, action=replace(sold.action, tariff="metro-taxi-10")))


def test_tells_what_is_wrong() -> None:
    wrong = check([_reserve(1, 2, *RESERVED), _lost("cancel", 3), _reserve(4, 5, *CANCELED)])
    assert wrong is not None
    assert wrong.operation.begin == 4
    assert [each.action.kind for each in wrong.beside] == ["cancel"]
    assert "reserve pass-1 metro-taxi-2: ok canceled" in str(wrong)


actions = st.builds(
    Action,
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(PASSES),
    st.just(TARIFF),
    st.sampled_from(ORDERS),
    st.booleans(),
    st.sampled_from(("", "token-1 metro-taxi-2", "token-2 metro-taxi-10")),
)
lives = st.lists(actions, min_size=5, max_size=40)


def _lived(life: list[Action], chance: random.Random) -> tuple[list[Operation[Action]], list[Person]]:
    """A history that has an order: each takes effect at ten times its place, and begins and ends about then."""
    state, history, states = Person(), [], []
    for place, action in enumerate(life):
        states.append(state)
        answer, state = chance.choice(list(model.possible(state, action)))
        begin, end = 100 * place - chance.randint(0, 250), 100 * place + chance.randint(1, 250)
        history.append(Operation(action, begin * 100 + place, end * 100 + place, answer))
    return history, states


@settings(max_examples=150, deadline=None)
@given(lives, st.randoms(use_true_random=False))
def test_whatever_has_an_order_passes(life: list[Action], chance: random.Random) -> None:
    history, _ = _lived(life, chance)
    forgotten = [
        replace(each, end=None, answer=None) if chance.random() < 0.2 else each  # its answer got lost
        for each in history
    ]
    unheard = [replace(each, end=None, answer=None) for each in _lived(life, chance)[0][-3:]]
    late = [replace(each, begin=10**9 + place) for place, each in enumerate(unheard)]  # never happened
    assert check(history) is None
    assert check([*forgotten, *late]) is None


@settings(max_examples=150, deadline=None)
@given(lives, st.randoms(use_true_random=False))
def test_a_wrong_answer_is_found(life: list[Action], chance: random.Random) -> None:
    history, states = _lived(life, chance)
    one_by_one = [replace(each, begin=2 * place, end=2 * place + 1) for place, each in enumerate(history)]
    place = chance.randrange(len(life))
    right = {answer for answer, _ in model.possible(states[place], life[place])}
    others = {answer for state in states for answer, _ in model.possible(state, life[place])}
    wrong = chance.choice(sorted(others - right, key=repr) or [("refused", "something_else")])
    one_by_one[place] = replace(one_by_one[place], answer=wrong)
    assert check(one_by_one) is not None
