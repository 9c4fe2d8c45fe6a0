"""The run folder: who owns it now, and the files in it."""

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from local_stack import failures
from testkit.servers import processes

# A dead runner's services may take as long as this to end.
_PREVIOUS_ENDS_WITHIN_S = 40.0


class Folder:
    """`.run`: logs, settings, keys and stack.json of one stack."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def stack_file(self) -> Path:
        return self.path / "stack.json"

    def log(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    @contextlib.contextmanager
    def owned(self, report: Callable[[str], None]) -> Iterator[int]:
        """Makes this process the folder's runner; raises AlreadyRunning.

        Yields the descriptor that holds the claim. Every keeper holds it too, so that after a kill -9 of the runner the
        next one waits until the last server of the former is gone.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711)  # the servers' users pass through
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._claim(lock, report)
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            yield lock
        finally:
            os.close(lock)

    def _claim(self, lock: int, report: Callable[[str], None]) -> None:
        deadline = time.monotonic() + _PREVIOUS_ENDS_WITHIN_S
        said = False
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            owner = os.pread(lock, 32, 0).decode().strip()
            if owner.isdigit() and processes.is_running(int(owner)):
                raise failures.AlreadyRunning(
                    f"a stack already runs in {self.path} (pid {owner}); stop it, or give another folder with --data"
                )
            if time.monotonic() > deadline:
                raise failures.AlreadyRunning(f"servers of a former stack in {self.path} have not ended yet")
            if not said:
                report("waiting for the servers of a former, killed stack to end")
                said = True
            time.sleep(0.1)

    def forget_run(self) -> None:
        """Removes what belongs to a run and not to its data."""
        for name in ("logs", "env", "config", "tickets"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        self.stack_file.unlink(missing_ok=True)

    def write(self, name: str, text: str) -> Path:
        """Writes a file that only we may read, whole or not at all."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        return self.write(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def read_json(self, name: str, default: Any) -> Any:
        try:
            return json.loads((self.path / name).read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return default
