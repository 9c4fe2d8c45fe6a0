"""A bucket of tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_authproxy.config import Rate
from maas_authproxy.limits import model

RATES = st.builds(Rate, per_second=st.floats(0.001, 1e4), burst=st.integers(1, 1000))
PAUSES = st.lists(st.one_of(st.just(0.0), st.floats(0.0, 5.0)), min_size=1, max_size=60)


@given(rate=RATES, pauses=PAUSES, start=st.floats(0.0, 1e7))
def test_never_lets_in_more_than_the_rate_and_says_when_to_come_back(
    rate: Rate, pauses: list[float], start: float
) -> None:
    full_at, now, let_in = 0.0, start, 0
    for pause in pauses:
        now += pause
        found, full_at = model.take(full_at, rate, now)
        assert 0 <= found.remaining < rate.burst
        assert 0 <= found.reset_s <= rate.burst / rate.per_second + 1e-6
        if not found.wait_s:
            let_in += 1
            assert let_in <= rate.burst + rate.per_second * (now - start) + 0.001 * let_in
        else:
            assert found.wait_s <= 1 / rate.per_second + 1e-6
            later, _ = model.take(full_at, rate, now + found.wait_s + 1e-6)
            assert later.wait_s == 0


@given(rate=RATES, seconds=st.floats(0.0, 1e6))
def test_a_silence_fills_it_and_no_more(rate: Rate, seconds: float) -> None:
    now = 1e6 + seconds
    found, _ = model.take(1e6, rate, now)
    assert (found.remaining, found.wait_s) == (rate.burst - 1, 0)


def test_counts_down_to_nothing_and_up_again() -> None:
    rate, full_at = Rate(per_second=2, burst=3), 0.0
    seen = []
    for now in (10.0, 10.0, 10.0, 10.0, 10.5, 10.5, 12.0):
        found, full_at = model.take(full_at, rate, now)
        seen.append((found.remaining, found.reset_s, found.wait_s))
    assert seen == [(2, 0.5, 0), (1, 1.0, 0), (0, 1.5, 0), (0, 1.5, 0.5), (0, 1.5, 0), (0, 1.5, 0.5), (2, 0.5, 0)]


@pytest.mark.parametrize("rate", [Rate(per_second=1000, burst=5), Rate(per_second=0.1, burst=2)])
def test_a_new_rate_forgives_what_was_taken_under_the_old_one(rate: Rate) -> None:
    full_at = 0.0
    for _ in range(100):
        _, full_at = model.take(full_at, Rate(per_second=0.01, burst=100), 1e6)
    longest_s = 1 / rate.per_second + 1e-6
    refused, full_at = model.take(full_at, rate, 1e6)
    assert 0 < refused.wait_s <= longest_s
    assert model.take(full_at, rate, 1e6 + longest_s)[0].wait_s == 0


def test_tells_the_caller_in_whole_numbers() -> None:
    assert model.Standing(200, 17, 1.2).headers == {
        "RateLimit-Limit": "200",
        "RateLimit-Remaining": "17",
        "RateLimit-Reset": "2",
    }
