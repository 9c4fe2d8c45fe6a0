"""What is kept for each operation of a neighbour: its names, its breaker and its metrics, made once."""

from kit import metrics
from kit.http_client import breaker

_calls = metrics.counter(
    "client_requests_total", "Attempts of calls to neighbours by outcome", ("neighbour", "operation", "outcome")
)
_seconds = metrics.histogram(
    "client_request_seconds", "Time of attempts of calls to neighbours that were sent", ("neighbour", "operation")
)
_retries = metrics.counter("client_retries_total", "Calls to neighbours sent again", ("neighbour", "operation"))
_states = metrics.gauge(
    "client_breaker_state", "0 closed, 1 half-open, 2 open: calls are refused unsent", ("neighbour", "operation")
)
_GOOD = frozenset({"ok", "refused"})


class Operation:
    """One operation of one neighbour."""

    __slots__ = ("_calls_by", "_seconds", "breaker", "key", "name", "neighbour", "retries", "span_name", "where")

    def __init__(self, neighbour: str, name: str) -> None:
        self.neighbour = neighbour
        self.name = name
        self.key = f"{neighbour}/{name}"
        self.where = f"{neighbour}.{name}"
        self.span_name = f"http.client {self.key}"
        self.retries = _retries.labels(neighbour, name)
        self._seconds = _seconds.labels(neighbour, name)
        state = _states.labels(neighbour, name)
        state.set(0)
        self.breaker = breaker.Breaker(on_change=state.set)

    def count(self, outcome: str) -> None:
        """Counts an attempt that was not sent."""
        _calls.labels(self.neighbour, self.name, outcome).inc()

    def finish(self, token: int, outcome: str, seconds: float, *, is_proof: bool) -> None:
        """Counts an attempt that was sent, and tells the breaker what it proved, if anything."""
        self.count(outcome)
        self._seconds.observe(seconds)
        if is_proof:
            self.breaker.record(token, is_good=outcome in _GOOD)
        else:
            self.breaker.abandon(token)
