"""One server per test run, shared by the workers of pytest-xdist: the first that needs it starts it.

It belongs to the run's first process (the controller), whose end ends it, so that a worker may
finish before the others.
"""

import contextlib
import fcntl
import functools
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from testkit.servers import machine, processes


@contextlib.contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Only one worker of the run at a time."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _shared(folder: Path, name: str, start: Callable[[], tuple[str, processes.Process | None]]) -> str:
    note = folder / f"{name}.json"
    with locked(folder, name):
        if not note.exists():
            address, process = start()
            assert process is not None
            note.write_text(json.dumps({"address": address, "keeper": process.keeper_pid}))
            process.leave()
        return str(json.loads(note.read_text())["address"])


def postgres(folder: Path, owner: int) -> str:
    """The DSN of the run's private PostgreSQL."""

    def start() -> tuple[str, processes.Process | None]:
        server = machine.Postgres(folder / "postgres", keeping=processes.Keeping(owner, [folder]))
        server.start()
        return server.dsn, server.process

    return _shared(folder, "postgres", start)


def rabbitmq(folder: Path, owner: int) -> str:
    """The URL of the run's private RabbitMQ."""

    def start() -> tuple[str, processes.Process | None]:
        server = machine.RabbitMQ(folder / "rabbitmq", keeping=processes.Keeping(owner, [folder]))
        server.start()
        return server.url, server.process

    return _shared(folder, "rabbitmq", start)


def end(folder: Path) -> None:
    """Ends what the run shared and removes its folder; called by the owner."""
    for note in folder.glob("*.json"):
        keeper = int(json.loads(note.read_text())["keeper"])
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGTERM)
        processes.wait_for(functools.partial(_is_over, keeper), 20)
    shutil.rmtree(folder, ignore_errors=True)


def _is_over(pid: int) -> bool:
    """Buries the process when it is our child, else looks whether it is still there."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
