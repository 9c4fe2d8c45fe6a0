"""The judge with the model of music: what has an order passes, whatever was forgotten; a wrong answer is found."""

import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.linearizability import Operation
from chaos.music import model
from chaos.music.order import Action, Order, Player

DRIVERS, COMMANDS = ("first", "second"), ("one", "two", "three", "four")
BUTTONS = ("play", "set_volume")
WITHOUT_TIME = ("command", "command", "pull", "report", "report", "assign", "journal", "finish")
KINDS = (*WITHOUT_TIME, "lapse")


def _chosen(chance: random.Random, state: Order, kinds: Sequence[str]) -> Action:
    """One call that makes sense of a state: results are those of commands that there are."""
    driver = chance.choice(DRIVERS)
    place = state.place_of(driver)
    player = Player(driver) if place is None else state.players[place]
    match chance.choice(kinds):
        case "command":
            return Action("command", command_id=chance.choice(COMMANDS), button=chance.choice(BUTTONS))
        case "pull":
            return Action("pull", player.applied_seq, driver)
        case "report":
            done = chance.randint(player.applied_seq, max(player.applied_seq, player.last_seq))
            results = [seq for seq in range(player.applied_seq + 1, done + 1) if chance.random() < 0.8]
            failed = tuple(seq for seq in results if chance.random() < 0.2)
            applied = tuple(seq for seq in results if seq not in failed)
            session = chance.choice(("s1", "s1", "s2"))
            return Action("report", chance.randint(1, 9), driver, "", "", session, done, applied, failed)
        case "assign" | "finish" as kind:
            is_rare = kind == "finish" and chance.random() < 0.8
            return Action("assign" if is_rare else kind, chance.randint(0, state.event_seq + 2), driver)
        case "lapse":
            return Action("lapse", command_id=chance.choice(COMMANDS))
    return Action("journal")


def _lived(seed: int, count: int, kinds: Sequence[str] = KINDS) -> tuple[list[Operation[Action]], list[Order]]:
    """A history that has an order: each takes effect at ten times its place, and begins and ends about then."""
    chance = random.Random(seed)
    state, history, states = Order(), [], []
    for place in range(count):
        action = _chosen(chance, state, kinds)
        states.append(state)
        answer, state = chance.choice(list(model.possible(state, action)))
        begin, end = 100 * place - chance.randint(0, 250), 100 * place + chance.randint(1, 250)
        history.append(Operation(action, begin * 100 + place, end * 100 + place, answer))
    return history, states


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9), st.integers(5, 40))
def test_whatever_has_an_order_passes(seed: int, count: int) -> None:
    history, _ = _lived(seed, count)
    chance = random.Random(seed)
    forgotten = [replace(each, end=None, answer=None) if chance.random() < 0.15 else each for each in history]
    assert model.check(history) is None
    assert model.check(forgotten) is None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9), st.integers(5, 40))
def test_a_wrong_answer_is_found(seed: int, count: int) -> None:
    history, states = _lived(seed, count, WITHOUT_TIME)
    chance = random.Random(seed)
    one_by_one = [replace(each, begin=2 * place, end=2 * place + 1) for place, each in enumerate(history)]
    place = chance.randrange(count)
    right = {answer for answer, _ in model.possible(states[place], one_by_one[place].action)}
    others = {answer for state in states for answer, _ in model.possible(state, one_by_one[place].action)}
    wrong = chance.choice(sorted(others - right, key=repr) or [("refused", "something_else")])
    one_by_one[place] = replace(one_by_one[place], answer=wrong)
    assert model.check(one_by_one) is not None


def test_a_lost_command_is_found() -> None:
    history = [
        Operation(Action("assign", 1, "first"), 0, 1, ("ok",)),
        Operation(Action("command", command_id="one", button="play"), 2, 3, ("ok", 1)),
        Operation(Action("pull", 0, "first"), 4, 5, ("ok", ())),
    ]
    assert model.check(history) is not None
    assert model.check([*history[:2], replace(history[2], answer=("ok", (1,)))]) is None
