"""A service of the stack that is run with its failpoints armed, killed and started again."""

import sys
from pathlib import Path

from local_stack import Stack


class Armed:
    """One service of the stack, run with its failpoints armed."""

    def __init__(self, stack: Stack, service: str) -> None:
        self.service = service
        self._stack = stack
        self._order = Path(stack.folder / f"armed-{service}.order")
        self._hits = Path(stack.folder / f"armed-{service}.hits")
        self._command = list(stack.commands[service])

    def begin(self) -> None:
        """Starts the service again, armed with nothing yet. Blocks."""
        told = {"ARMED_ORDER": str(self._order), "ARMED_FILE": str(self._hits)}
        package = self._command[self._command.index("-m") + 1 :]
        self._stack.restart(self.service, env=told, command=[sys.executable, "-m", "testkit.armed", *package])

    def end(self) -> None:
        """Starts it as it was. Blocks."""
        self._order.unlink(missing_ok=True)
        self._stack.restart(self.service, command=self._command)

    def order(self, text: str) -> None:
        """`record *` or `kill NAME`, from the next boundary on; forgets what happened before."""
        self._hits.unlink(missing_ok=True)
        fresh = self._order.with_suffix(".new")
        fresh.write_text(text, "utf-8")
        fresh.replace(self._order)

    def happened(self) -> list[str]:
        """What was written since the order, each name once."""
        try:
            return list(dict.fromkeys(self._hits.read_text("utf-8").splitlines()))
        except FileNotFoundError:
            return []

    def go_down(self) -> None:
        """kill -9, if it has not come to that by itself; it stays down. Blocks."""
        self._stack.kill(self.service, stay_down=True)

    def come_back(self) -> None:
        """Starts it and waits until it is ready. Blocks."""
        self._stack.start_part(self.service)
