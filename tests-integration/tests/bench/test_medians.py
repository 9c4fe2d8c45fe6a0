"""The arithmetic of a contest, by hand."""

import math
import random

import pytest

from bench import medians


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0), (0.0, 1.0), (0.01, 1.0)]
)
def test_takes_the_least_value_that_so_many_do_not_exceed(share: float, expected: float) -> None:
    values = [float(value) for value in range(1, 101)]
    random.Random(7).shuffle(values)
    assert medians.percentile(values, share) == expected


def test_takes_no_percentile_of_nothing() -> None:
    assert math.isnan(medians.percentile([], 0.5))


def test_takes_the_only_value_for_every_percentile() -> None:
    assert {medians.percentile([3.0], share) for share in (0.0, 0.5, 0.99, 1.0)} == {3.0}


def test_compares_round_by_round_and_not_median_with_median() -> None:
    # Both slow down together; the medians alone (300 and 100) would say 3.
    mine, others = [100.0, 300.0, 1000.0], [50.0, 150.0, 100.0]
    assert medians.ratio(mine, others) == 2.0


def test_lets_one_odd_round_change_nothing() -> None:
    assert medians.ratio([10.0, 10.0, 900.0], [5.0, 5.0, 1.0]) == 2.0


def test_refuses_rounds_that_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        medians.ratio([1.0], [1.0, 2.0])


@pytest.mark.parametrize(("found", "is_tie"), [(1.0, True), (1.25, True), (0.8, True), (1.26, False), (0.79, False)])
def test_calls_a_tie_what_one_program_differs_by(found: float, is_tie: bool) -> None:
    assert medians.is_tie(found) is is_tie
