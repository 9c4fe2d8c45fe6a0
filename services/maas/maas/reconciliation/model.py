"""A comparison, what it finds, and what is reported of it."""

import datetime
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit import errors


class Kind(enum.StrEnum):
    """How the bank differs: another status, no such subscription, or no answer that makes sense."""

    STATUS = "status"
    MISSING = "missing"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Known:
    """A subscription with its status here, as time has made it."""

    pass_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A subscription whose status at the bank is not ours; `theirs` only when the bank told one."""

    pass_id: str
    kind: Kind
    ours: str
    theirs: str | None
    seen_at: datetime.datetime | None = None

    @classmethod
    def from_row(cls, **row: Any) -> "Difference":
        """From the columns that `queries` reads."""
        return cls(kind=Kind(row.pop("kind")), **row)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One day's comparison; `is_stale` when it is unfinished for so long that nobody goes on with it."""

    day: datetime.date
    started_at: datetime.datetime
    finished_at: datetime.datetime | None
    last_pass_id: str
    planned: int
    compared: int
    is_stale: bool

    @property
    def state(self) -> str:
        """`finished`, `running` or `broken_off`."""
        if self.finished_at is not None:
            return "finished"
        return "broken_off" if self.is_stale else "running"


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison with its differences; `totals` count all of them by kind, `differences` are the first."""

    comparison: Comparison
    totals: Mapping[str, int]
    differences: Sequence[Difference]


class ComparisonNotFound(errors.NotFound):
    """Nothing was compared with the bank on this day."""


def difference(known: Known, theirs: str | Exception | None) -> Difference | None:
    """How `theirs` differs: the bank's status, None when it has none, an exception when it did not answer well."""
    if isinstance(theirs, Exception):
        return Difference(known.pass_id, Kind.UNANSWERED, known.status, None)
    if theirs is None:
        return Difference(known.pass_id, Kind.MISSING, known.status, None)
    return None if theirs == known.status else Difference(known.pass_id, Kind.STATUS, known.status, theirs)
