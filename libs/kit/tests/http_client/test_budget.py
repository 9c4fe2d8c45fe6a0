from hypothesis import given
from hypothesis import strategies as st

from kit.http_client import budget


@given(st.lists(st.integers(min_value=0, max_value=2), max_size=500))
def test_never_amplifies_more_than_a_tenth_and_the_burst(wishes: list[int]) -> None:
    bucket = budget.Budget()
    retries = 0
    for calls, wish in enumerate(wishes, 1):
        bucket.note_call()
        retries += sum(bucket.take() for _ in range(wish))
        assert calls + retries <= 1.1 * calls + 5 + 1e-6


def test_lets_a_quiet_neighbour_have_its_burst() -> None:
    bucket = budget.Budget()
    assert [bucket.take() for _ in range(7)] == [True] * 5 + [False] * 2


def test_does_not_save_up_more_than_the_burst() -> None:
    bucket = budget.Budget()
    for _ in range(1000):
        bucket.note_call()
    assert sum(bucket.take() for _ in range(100)) == 5
