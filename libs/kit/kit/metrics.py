"""Counters, gauges and histograms of the process, on one registry of our own.

    _calls = metrics.counter("client_calls_total", "Calls to neighbours.", ("neighbour", "outcome"))
    _calls.labels("coupons", "ok").inc()

Children are kept, so a hot path pays for one dictionary look-up. No label ever holds an id.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import prometheus_client

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_Child = TypeVar("_Child", prometheus_client.Counter, prometheus_client.Gauge, prometheus_client.Histogram)

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
_registry = prometheus_client.CollectorRegistry(auto_describe=True)
prometheus_client.ProcessCollector(registry=_registry)
prometheus_client.PlatformCollector(registry=_registry)
prometheus_client.GCCollector(registry=_registry)


class _Family(Generic[_Child]):
    """One declared metric and the children made so far."""

    __slots__ = ("_children", "_family", "label_names", "signature")

    def __init__(self, family: _Child, label_names: tuple[str, ...], signature: object) -> None:
        self._family: _Child = family
        self._children: dict[tuple[object, ...], _Child] = {}
        self.label_names = label_names
        self.signature = signature

    def labels(self, *values: object, **named: object) -> _Child:
        """The child of these label values, by position in the declared order or all by name; made once, then kept."""
        if named:
            values = self._ordered(values, named)
        child = self._children.get(values)
        if child is None:
            child = self._family.labels(*values) if values or self.label_names else self._family
            self._children[values] = child
        return child

    def _ordered(self, values: tuple[object, ...], named: dict[str, object]) -> tuple[object, ...]:
        if values or set(named) != set(self.label_names):
            raise ValueError(f"labels are {self.label_names}, all by position or all by name")
        return tuple(named[name] for name in self.label_names)


class Counter(_Family[prometheus_client.Counter]):
    """Counts what happened; never goes down."""

    __slots__ = ()

    def inc(self, amount: float = 1) -> None:
        """Adds `amount`; only for a counter without labels."""
        self.labels().inc(amount)


class Gauge(_Family[prometheus_client.Gauge]):
    """A value of this moment."""

    __slots__ = ()

    def set(self, value: float) -> None:
        """Sets the value; only for a gauge without labels, as are the others here."""
        self.labels().set(value)

    def inc(self, amount: float = 1) -> None:
        """Adds `amount`."""
        self.labels().inc(amount)

    def dec(self, amount: float = 1) -> None:
        """Takes `amount` away."""
        self.labels().dec(amount)

    def set_function(self, read: Callable[[], float]) -> None:
        """Asks `read` each time the metrics are rendered, possibly on another thread."""
        self.labels().set_function(read)


class Histogram(_Family[prometheus_client.Histogram]):
    """A distribution, counted in buckets."""

    __slots__ = ()

    def observe(self, value: float) -> None:
        """Counts one observation; only for a histogram without labels."""
        self.labels().observe(value)


_declared: dict[str, _Family[Any]] = {}


def counter(name: str, doc: str, labels: Sequence[str] = ()) -> Counter:
    """Declares a counter (`…_total`); the same declaration again gives the same object, another one is a ValueError."""
    return _declare(Counter, prometheus_client.Counter, name, doc, labels)


def gauge(name: str, doc: str, labels: Sequence[str] = ()) -> Gauge:
    """Declares a gauge; the same declaration again gives the same object, another one is a ValueError."""
    return _declare(Gauge, prometheus_client.Gauge, name, doc, labels)


def histogram(
    name: str, doc: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS_S
) -> Histogram:
    """Declares a histogram (`…_seconds`); the same declaration again gives the same object, another is a ValueError."""
    return _declare(Histogram, prometheus_client.Histogram, name, doc, labels, buckets=tuple(buckets))


_AnyFamily = TypeVar("_AnyFamily", bound=_Family[Any])


def _declare(
    wrapper: type[_AnyFamily], kind: type[Any], name: str, doc: str, labels: Sequence[str], **options: Any
) -> _AnyFamily:
    label_names = tuple(labels)
    signature = (wrapper, label_names, options)
    known = _declared.get(name)
    if known is None:
        family = kind(name, doc, label_names, registry=_registry, **options)
        known = _declared[name] = wrapper(family, label_names, signature)
        if not label_names:
            known.labels()
    if known.signature != signature or not isinstance(known, wrapper):
        raise ValueError(f"the metric {name} is declared twice, differently")
    return known


def render() -> bytes:
    """The text exposition of everything; blocks for milliseconds, so it is called on a thread, not on the loop."""
    return prometheus_client.generate_latest(_registry)


def value(name: str, **labels: object) -> float:
    """The sum of the samples called `name` whose labels include these; 0.0 when none was counted. For tests.

    Histograms are read by their samples: `…_count`, `…_sum`, `…_bucket`. An undeclared name is a KeyError.
    """
    wanted = {(key, str(wish)) for key, wish in labels.items()}
    total = 0.0
    is_known = name in _declared
    for family in _registry.collect():
        is_known = (
            is_known
            or name == family.name
            or name in {f"{family.name}_{end}" for end in ("count", "sum", "bucket", "total")}
        )
        total += sum(s.value for s in family.samples if s.name == name and wanted <= set(s.labels.items()))
    if not is_known:
        raise KeyError(name)
    return total
