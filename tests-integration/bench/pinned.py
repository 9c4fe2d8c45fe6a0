"""A server process that stays on one core, and what it used."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testkit.servers import processes

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_START_WITHIN_S = 30.0
_QUIET = 0.7


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the server that is measured runs, and where all the rest: the load, the database, neighbours."""

    server: int
    load: int

    @classmethod
    def divided(cls) -> "Cores":
        """The first two cores that we may use; the caller and what it starts from now on go to the second."""
        found = sorted(os.sched_getaffinity(0))
        cores = cls(found[0], found[min(1, len(found) - 1)])
        if cores.server == cores.load:
            print("only one core: the load takes from the servers what it uses itself, compare the CPU alone")
        os.sched_setaffinity(0, {cores.load})
        if (busy := os.getloadavg()[0]) > _QUIET:
            print(f"load average {busy:.1f} before the start: others use the cores too, so trust ratios of CPU alone")
        return cores


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far, user and system."""
        parts = Path(f"/proc/{self.pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / _TICKS_PER_S

    def memory_mb(self) -> float:
        """Its resident memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii", "replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str], *, core: int, port: int, env: Mapping[str, str], log: Path
) -> Iterator[Server]:
    """The server once it listens on `port`; it ends with us, however we end. Raises ServerFailed with its log's end."""
    pinned = ["taskset", "-c", str(core), *command]
    process = processes.Process(name, pinned, log=log, env={"PATH": os.defpath, "LANG": "C.UTF-8", **env})
    process.start()
    try:
        _await(name, process, port, log)
        assert process.pid is not None
        yield Server(port, process.pid)
    finally:
        process.stop()


def _await(name: str, process: processes.Process, port: int, log: Path) -> None:
    until = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < until and process.is_alive():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise processes.ServerFailed(f"{name} did not come up:\n{processes.log_tail(log)}")
