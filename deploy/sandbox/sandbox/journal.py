"""The calls that the neighbours received, and the counters; in memory only, because bodies hold phones."""

import collections
import datetime
from dataclasses import asdict, dataclass
from typing import Any

from kit import clock

KEPT = 5_000
KEPT_VIOLATIONS = 200
# A purchase token is nowhere in clear (MA-58).
SECRETS = ("user_token",)


def masked(shown: Any) -> Any:
    """Fields or text of a request without the secrets in them."""
    if isinstance(shown, dict):
        return {key: "***" if key in SECRETS else masked(value) for key, value in shown.items()}
    if isinstance(shown, list):
        return [masked(value) for value in shown]
    return "***" if isinstance(shown, str) and any(name in shown for name in SECRETS) else shown


@dataclass(slots=True)
class Entry:
    """One call; `status` is None while it runs and when the connection was reset."""

    seq: int
    time: str
    neighbour: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    caller: str | None = None
    status: int | None = None
    fault: str | None = None


class Journal:
    """A bounded ring of calls, and the counters of `GET /_stats`."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets all calls and counters; the numbering starts again."""
        self._seq = 0
        self._entries: collections.deque[Entry] = collections.deque(maxlen=KEPT)
        self._violations: collections.deque[dict[str, Any]] = collections.deque(maxlen=KEPT_VIOLATIONS)
        self._calls: collections.Counter[str] = collections.Counter()
        self._counts: dict[str, collections.Counter[str]] = {
            kind: collections.Counter() for kind in ("contract_violations", "tickets_refused", "faults")
        }

    def begin(self, neighbour: str, method: str, path: str, query: dict[str, str], body: Any) -> Entry:
        """Notes a call that has arrived."""
        self._seq += 1
        entry = Entry(self._seq, clock.to_wire(clock.now()), neighbour, method, path, query, body)
        self._entries.append(entry)
        self._calls[neighbour] += 1
        return entry

    def count(self, kind: str, neighbour: str) -> None:
        """Counts one of `contract_violations`, `tickets_refused`, `faults`."""
        self._counts[kind][neighbour] += 1

    def violation(self, entry: Entry, reasons: dict[str, Any]) -> None:
        """Counts a broken contract and keeps what was wrong."""
        self.count("contract_violations", entry.neighbour)
        self._violations.append(
            {"seq": entry.seq, "time": entry.time, "neighbour": entry.neighbour, "method": entry.method}
            | {"path": entry.path, "reasons": reasons}
        )

    def calls(
        self, neighbour: str | None = None, after: int = 0, since: datetime.datetime | None = None
    ) -> list[dict[str, Any]]:
        """The calls kept, oldest first: of one neighbour, numbered above `after`, not before `since`."""
        earliest = "" if since is None else clock.to_wire(since)
        return [
            asdict(entry)
            for entry in self._entries
            if entry.seq > after and entry.time >= earliest and neighbour in (None, entry.neighbour)
        ]

    def stats(self) -> dict[str, Any]:
        """The counters by neighbour, and the last violations with their reasons."""
        counts = {kind: dict(counter) for kind, counter in self._counts.items()}
        return {"calls": dict(self._calls), **counts, "violations": list(self._violations)}
