"""How a metric changes: counters of the process outlive a test, so a test looks at the difference."""

from kit import metrics


class Difference:
    """`grown = Difference("stq_tasks_total", task="maas.promocode.issue")`, then `grown.value` since it was made."""

    def __init__(self, name: str, **labels: object) -> None:
        self._name = name
        self._labels = labels
        self._before = metrics.value(name, **labels)

    @property
    def value(self) -> float:
        """How much the sum of these samples has grown."""
        return metrics.value(self._name, **self._labels) - self._before
