"""One call under way: what is asked, how the answer is judged, and what is known of its effect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kit import scope
from kit.http_client import wire
from kit.http_client.failures import (
    Failure,
    NeighbourFailed,
    NeighbourGarbage,
    NeighbourRefused,
    NeighbourTimeout,
    NeighbourUnavailable,
    Trouble,
)
from kit.http_client.operation import Operation

Refusals = Mapping[str, type[NeighbourRefused]]

_NOTHING_DONE = frozenset({"unavailable", "refused"})
_UNKNOWN = frozenset({"timeout", "failed"})


@dataclass(slots=True)
class Request:
    """A call and all its attempts; `is_uncertain` once one was sent of which nobody knows what it did."""

    method: str
    url: str
    operation: Operation
    is_idempotent: bool
    changes: bool
    headers: dict[str, str]
    body: bytes | None = None
    read: Callable[[wire.Raw], Any] = lambda raw: raw
    refusals: Refusals = field(default_factory=dict)
    is_uncertain: bool = False

    def failure(self, kind: type[Failure], reason: str, **details: Any) -> Failure:
        """A failure of this call."""
        return kind(self.operation.neighbour, self.operation.name, reason=reason, **details)

    def failed(self, trouble: Trouble) -> Failure:
        """The failure that an exchange which broke off means for this call."""
        kind = trouble.failure
        # A read that was cut off has done nothing, whatever became of it.
        if kind is NeighbourFailed and not self.changes:
            kind = NeighbourUnavailable
        return self.failure(kind, trouble.reason, **trouble.details)

    def judge(self, raw: wire.Raw) -> None:
        """Returns for 2xx, and for 304 when it was asked for; raises the failure that any other status means."""
        status = raw.status
        if 200 <= status < 300 or (status == 304 and "If-None-Match" in self.headers):
            return
        failure = self._refused(raw) if 400 <= status < 500 and status != 429 else self._broken(raw)
        failure.raw = raw
        raise failure

    def note(self, outcome: str) -> None:
        """Remembers what an attempt that was sent means for the promises of the caller's own answer."""
        if self.changes and outcome not in _NOTHING_DONE:
            scope.note_write()
            self.is_uncertain = self.is_uncertain or outcome in _UNKNOWN

    def _refused(self, raw: wire.Raw) -> Failure:
        code = wire.code_of(raw)
        kind = self.refusals.get(code, NeighbourRefused)
        return kind(self.operation.neighbour, self.operation.name, status=raw.status, reason=code)

    def _broken(self, raw: wire.Raw) -> Failure:
        details: dict[str, Any] = {"status": raw.status}
        if (wait_s := wire.retry_after_s(raw)) is not None:
            details["retry_after_s"] = wait_s
        return self.failure(_kind_of(raw.status), "status", **details)


def _kind_of(status: int) -> type[Failure]:
    if status in (429, 503):
        return NeighbourUnavailable
    if status == 504:
        return NeighbourTimeout
    return NeighbourFailed if status >= 500 else NeighbourGarbage
