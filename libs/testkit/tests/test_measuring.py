"""Metrics by their difference."""

from kit import metrics
from testkit.measuring import Difference


def test_tells_what_was_added_since_it_was_made() -> None:
    counter = metrics.counter("measured_total", "For this test.", ("kind",))
    counter.labels("a").inc(5)
    grown, other = Difference("measured_total", kind="a"), Difference("measured_total", kind="b")
    counter.labels("a").inc(2)
    assert (grown.value, other.value) == (2, 0)
