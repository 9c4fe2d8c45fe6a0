"""What our private servers have in common: one process at a time, on a port that may have to be chosen again."""

from collections.abc import Callable
from pathlib import Path

from testkit.servers import processes


class Server(processes.Held):
    """A server with data of its own; `_process` makes the process that serves at `port`."""

    title: str
    taken: str
    """What its log says when somebody else took the port between our choice and its start."""

    def __init__(self, *, port: int | None, log: Path) -> None:
        super().__init__()
        self.port = port or 0
        self._asked_port = port
        self._log = log

    def _process(self) -> processes.Process:
        raise TypeError(f"{type(self).__name__} must say how it is started")

    def _start(self, answers: Callable[[], bool], reason: Callable[[], str], timeout_s: float) -> None:
        for is_last in (False, False, True):
            self.port = self.port or processes.free_port()
            self.process = self._process()
            self.process.start()
            if processes.wait_for(lambda: answers() or not self.is_alive(), timeout_s, 0.05) and self.is_alive():
                return
            said = reason()
            self.process.kill()
            if self._asked_port or is_last or self.taken not in said:
                raise processes.ServerFailed(f"{self.title} did not start: {said or 'no answer in time'}")
            self.port = 0
