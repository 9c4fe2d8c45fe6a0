"""What the harness did in one run: noted by tests in any process, shown as one table when the run ends."""

import json
import os
import tempfile
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

_VARIABLE = "CHAOS_FIGURES"


@dataclass
class Figure:
    """One line: `count` of `what`, in so many seconds."""

    what: str
    count: int
    took_s: float
    remark: str = ""


def begin(environment: MutableMapping[str, str] = os.environ) -> None:
    """Makes the file of this run; processes started from here on inherit its name."""
    handle, path = tempfile.mkstemp(prefix="taxi-figures-")
    os.close(handle)
    environment[_VARIABLE] = path


def end(environment: MutableMapping[str, str] = os.environ) -> None:
    """Removes the file."""
    if path := environment.pop(_VARIABLE, None):
        Path(path).unlink(missing_ok=True)


def note(what: str, count: int, took_s: float, remark: str = "") -> None:
    """Adds a line to the table, `note("kill points hit", 93, 120.4)`; goes nowhere when no run is under way."""
    if path := os.environ.get(_VARIABLE):
        with open(path, "a", encoding="utf-8") as file:  # one short write, so that lines of processes do not mix
            file.write(json.dumps(asdict(Figure(what, count, took_s, remark)), ensure_ascii=False) + "\n")


@contextmanager
def timed(what: str, remark: str = "") -> Iterator[Figure]:
    """Notes a figure whose `count` the body sets, also when the body fails."""
    figure, began = Figure(what, 0, 0.0, remark), time.monotonic()
    try:
        yield figure
    finally:
        note(figure.what, figure.count, time.monotonic() - began, figure.remark)


def table() -> list[str]:
    """The lines to show, the same `what` added up; none when nothing was noted."""
    total: dict[str, Figure] = {}
    for line in _lines():
        new = Figure(**json.loads(line))
        known = total.setdefault(new.what, Figure(new.what, 0, 0.0))
        known.count, known.took_s = known.count + new.count, known.took_s + new.took_s
        known.remark = "; ".join(filter(None, dict.fromkeys((known.remark, new.remark))))
    width = max(map(len, total), default=0)
    return [f"{each.what:<{width}} {each.count:>8} {each.took_s:>8.1f} s  {each.remark}" for each in total.values()]


def _lines() -> list[str]:
    path = os.environ.get(_VARIABLE)
    return Path(path).read_text("utf-8").splitlines() if path else []
