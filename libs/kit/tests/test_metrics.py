import itertools

import pytest

from kit import metrics

_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    return f"test_metric_{next(_numbers)}"


def test_counts_by_labels(name: str) -> None:
    calls = metrics.counter(f"{name}_total", "Calls.", ("who", "how"))
    calls.labels("a", "ok").inc()
    calls.labels(how="bad", who="a").inc(2)

    assert metrics.value(f"{name}_total", who="a", how="ok") == 1
    assert metrics.value(f"{name}_total", who="a") == 3
    assert metrics.value(f"{name}_total", who="nobody") == 0


def test_keeps_the_children(name: str) -> None:
    calls = metrics.counter(f"{name}_total", "Calls.", ("who",))
    assert calls.labels("a") is calls.labels("a") is calls.labels(who="a")


def test_gives_the_same_metric_when_declared_again(name: str) -> None:
    assert metrics.gauge(name, "Size.") is metrics.gauge(name, "Size.")


def test_refuses_another_declaration_under_the_same_name(name: str) -> None:
    metrics.gauge(name, "Size.")
    with pytest.raises(ValueError, match="declared twice"):
        metrics.gauge(name, "Size.", ("who",))
    with pytest.raises(ValueError, match="declared twice"):
        metrics.counter(name, "Size.")


@pytest.mark.parametrize("labels", [{"who": "a", "typo": "b"}, {"who": "a"}, {}])
def test_refuses_wrong_labels(name: str, labels: dict[str, str]) -> None:
    calls = metrics.counter(f"{name}_total", "Calls.", ("who", "how"))
    with pytest.raises(ValueError, match="label"):
        calls.labels(**labels)


def test_shows_a_metric_without_labels_before_it_is_touched(name: str) -> None:
    metrics.counter(f"{name}_total", "Calls.")
    assert f"{name}_total 0.0" in metrics.render().decode()


def test_reads_histograms_by_their_samples(name: str) -> None:
    seconds = metrics.histogram(f"{name}_seconds", "Time.", ("who",), buckets=(0.1, 1))
    seconds.labels("a").observe(0.5)
    assert metrics.value(f"{name}_seconds_count", who="a") == 1
    assert metrics.value(f"{name}_seconds_sum", who="a") == 0.5
    assert metrics.value(f"{name}_seconds_bucket", who="a", le="0.1") == 0


def test_reads_gauges_and_their_functions(name: str) -> None:
    size = metrics.gauge(name, "Size.")
    size.set(5)
    size.inc(2)
    size.dec()
    assert metrics.value(name) == 6
    size.set_function(lambda: 42.0)
    assert metrics.value(name) == 42


def test_refuses_to_read_an_undeclared_metric() -> None:
    with pytest.raises(KeyError):
        metrics.value("no_such_metric_total")


def test_renders_the_process_and_no_creation_times(name: str) -> None:
    metrics.counter(f"{name}_total", "Calls.").inc()
    text = metrics.render().decode()
    assert "process_resident_memory_bytes" in text
    assert "python_info" in text
    assert "_created" not in text
