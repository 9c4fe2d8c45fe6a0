"""`python -m testkit.armed PACKAGE WORD…` runs a service with its failpoints armed; no image contains this.

Told by the environment: `ARMED_FILE`, where what happened is written, a line each; and `ARMED_FAILPOINT` (a name, or
`*`) with `ARMED_ACTION` (`kill`, `pause` or `record`) and `ARMED_NTH` (1), or else `ARMED_ORDER`, a file that says the
same in one line, `kill stq.relay:before_publish 1`, and may be rewritten while the service runs.

`record` writes the name at each hit. `kill` (-9) and `pause` (SIGSTOP) strike at the nth hit, and only once for each
content of `ARMED_FILE`, so that the process that is started again lives.
"""

import os
import runpy
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kit import failpoints

_SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}


@dataclass(frozen=True, slots=True)
class Order:
    """What to do, at which failpoint, at which hit."""

    action: str
    name: str
    nth: int

    @classmethod
    def parse(cls, text: str) -> "Order | None":
        """None for an empty text; ValueError for one that is no order."""
        if not text.strip():
            return None
        action, name, nth = (*text.split(), "1")[:3]
        if action not in (*_SIGNALS, "record"):
            raise ValueError(f"there is no action {action}")
        return cls(action, name, int(nth))

    @property
    def line(self) -> str:
        """What is written when it has been carried out."""
        return f"{self.action} {self.name}"


class Trigger:
    """Hears of each failpoint that is reached, and carries out the order in force."""

    def __init__(self, file: Path, order: Order | None, order_file: Path | None) -> None:
        self._file = file
        self._order = order
        self._order_file = order_file
        self._version = 0
        self._hits = 0

    def __call__(self, name: str) -> None:
        """Called by kit with the name of the place."""
        self._look()
        order = self._order
        if order is None or order.name not in (name, "*"):
            return
        if order.action == "record":
            self._write(name)
            return
        self._hits += 1
        if self._hits >= order.nth and not self._is_done(order):
            self._write(order.line)
            os.kill(os.getpid(), _SIGNALS[order.action])

    def _look(self) -> None:
        """Reads the order file again when it has changed."""
        if self._order_file is None:
            return
        try:
            version = self._order_file.stat().st_mtime_ns
            if version != self._version:
                self._version, self._hits = version, 0
                self._order = Order.parse(self._order_file.read_text("utf-8"))
        except FileNotFoundError:
            self._order = None

    def _is_done(self, order: Order) -> bool:
        try:
            return order.line in self._file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return False

    def _write(self, line: str) -> None:
        # Unbuffered and in one piece: the process may be gone a moment later.
        target = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(target, f"{line}\n".encode())
        finally:
            os.close(target)


def trigger(environment: Mapping[str, str]) -> Trigger:
    """The trigger that the environment describes; KeyError without ARMED_FILE, ValueError for an unknown action."""
    order = None
    if name := environment.get("ARMED_FAILPOINT"):
        action = environment.get("ARMED_ACTION", "kill")
        order = Order.parse(f"{action} {name} {environment.get('ARMED_NTH', '1')}")
    file = environment.get("ARMED_ORDER")
    return Trigger(Path(environment["ARMED_FILE"]), order, Path(file) if file else None)


def main() -> None:
    """The command line."""
    package = sys.argv[1]
    failpoints.arm(trigger(os.environ))
    sys.argv = [package, *sys.argv[2:]]
    runpy.run_module(package, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
