from hypothesis import given
from hypothesis import strategies as st

from kit.http_client import breaker
from kit.http_client.breaker import State


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(clock: Clock, **options: float) -> breaker.Breaker:
    return breaker.Breaker(clock=clock, **{"least": 4, "open_s": 2.0, "probes": 2, **options})  # type: ignore[arg-type]


def state_of(circuit: breaker.Breaker) -> State:
    return circuit.state


def play(circuit: breaker.Breaker, outcomes: str) -> str:
    """Plays `+` and `-` one after another; says which of them were let through."""
    shown = ""
    for outcome in outcomes:
        token = circuit.admit()
        shown += "." if token is None else outcome
        if token is not None:
            circuit.record(token, is_good=outcome == "+")
    return shown


def test_stays_closed_below_the_least_volume() -> None:
    assert play(made(Clock()), "---") == "---"


def test_opens_when_half_of_enough_calls_failed() -> None:
    circuit = made(Clock())
    assert play(circuit, "++-" + "-" + "+++") == "++--..."
    assert state_of(circuit) is State.OPEN


def test_stays_closed_when_fewer_failed() -> None:
    circuit = made(Clock())
    assert "." not in play(circuit, "++-" * 50)


def test_forgets_what_is_older_than_the_window() -> None:
    clock = Clock()
    circuit = made(clock)
    play(circuit, "---")
    clock.now += 10
    assert play(circuit, "-") == "-"
    assert state_of(circuit) is State.CLOSED


def test_lets_probes_through_after_a_while_and_closes_on_good_ones() -> None:
    clock = Clock()
    circuit = made(clock)
    play(circuit, "----")
    clock.now += 1.9
    assert circuit.admit() is None
    clock.now += 0.2
    first, second, third = circuit.admit(), circuit.admit(), circuit.admit()
    assert (first is None, second is None, third is None) == (False, False, True)
    assert state_of(circuit) is State.HALF_OPEN
    for token in (first, second):
        assert token is not None
        circuit.record(token, is_good=True)
    assert state_of(circuit) is State.CLOSED


def test_lets_no_more_through_than_it_needs_to_know() -> None:
    clock = Clock()
    circuit = made(clock, probes=2)
    play(circuit, "----")
    clock.now += 2
    assert play(circuit, "+") == "+"
    assert circuit.admit() is not None
    assert circuit.admit() is None


def test_opens_again_on_a_bad_probe() -> None:
    clock = Clock()
    circuit = made(clock)
    play(circuit, "----")
    clock.now += 2
    assert play(circuit, "+-+") == "+-."
    assert state_of(circuit) is State.OPEN
    clock.now += 2
    assert play(circuit, "++") == "++"
    assert state_of(circuit) is State.CLOSED


def test_gives_the_place_of_an_abandoned_probe_to_another() -> None:
    clock = Clock()
    circuit = made(clock, probes=1)
    play(circuit, "----")
    clock.now += 2
    token = circuit.admit()
    assert token is not None
    assert circuit.admit() is None
    circuit.abandon(token)
    assert play(circuit, "+") == "+"
    assert state_of(circuit) is State.CLOSED


def test_does_not_listen_to_calls_of_an_earlier_era() -> None:
    clock = Clock()
    circuit = made(clock)
    late = circuit.admit()
    assert late is not None
    play(circuit, "----")
    clock.now += 2
    probe = circuit.admit()
    assert probe is not None
    circuit.record(late, is_good=False)
    assert state_of(circuit) is State.HALF_OPEN
    circuit.abandon(late)
    circuit.record(probe, is_good=True)
    assert play(circuit, "+") == "+"
    assert state_of(circuit) is State.CLOSED


def test_tells_of_every_change() -> None:
    clock = Clock()
    seen: list[State] = []
    circuit = breaker.Breaker(clock=clock, least=1, probes=1, on_change=seen.append)
    play(circuit, "-")
    clock.now += 2
    play(circuit, "+")
    assert seen == [State.OPEN, State.HALF_OPEN, State.CLOSED]


@given(
    st.lists(st.tuples(st.sampled_from(["call", "good", "bad", "abandon", "wait"]), st.integers(0, 5)), max_size=200)
)
def test_never_sticks_and_never_lets_more_probes_out(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    circuit = made(clock, probes=2)
    out: list[tuple[int, State]] = []
    for step, number in steps:
        if step == "wait":
            clock.now += number * 0.7
        elif step == "call":
            if (token := circuit.admit()) is not None:
                out.append((token, circuit.state))
        elif out:
            token, _ = out.pop(number % len(out))
            circuit.abandon(token) if step == "abandon" else circuit.record(token, is_good=step == "good")
        era = max((token for token, _ in out), default=None)
        probes = [token for token, state in out if state is State.HALF_OPEN and token == era]
        assert len(probes) <= 2
    for token, _ in out:
        circuit.record(token, is_good=True)
    # Whatever happened, a neighbour that is well again is asked again.
    clock.now += 100
    play(circuit, "++")
    assert state_of(circuit) is State.CLOSED
