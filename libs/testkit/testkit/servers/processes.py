"""Processes that never outlive the one that started them, ports, and the user a server may run as."""

import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KEEPER = Path(__file__).with_name("keeper.py")
# Below the kernel's range for outgoing connections, so that a server gets its port back after a restart.
_PORTS = range(27000, 32000)


class ServerMissing(RuntimeError):
    """A server cannot be had here; the message is one sentence saying what to install or set."""


class ServerFailed(RuntimeError):
    """A server did not start; the message is one sentence with the end of its log."""


def is_port_free(port: int, host: str = "127.0.0.1") -> bool:
    """True when a listener could be opened there now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
    return True


def free_port(taken: Iterable[int] = ()) -> int:
    """A port nobody listens on, outside the range of outgoing connections."""
    refused = set(taken)
    for port in random.sample(_PORTS, len(_PORTS)):
        if port not in refused and is_port_free(port):
            return port
    raise ServerFailed("no free port between 27000 and 31999")


def log_tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, "" when there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def wait_for(condition: Callable[[], bool], timeout_s: float, period_s: float = 0.02) -> bool:
    """Polls until the condition holds; False when the time is over first."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(period_s)
    return True


class Account:
    """The user a server runs as: `name` when we are root (servers refuse root), else ourselves."""

    def __init__(self, name: str) -> None:
        self.uid: int | None = None
        self.gid: int | None = None
        if os.geteuid() == 0:
            entry = _entry(name) or pwd.getpwnam("nobody")
            self.uid, self.gid = entry.pw_uid, entry.pw_gid

    def own(self, folder: Path) -> None:
        """Makes the folder (mode 0700) and gives it to the user."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)

    def write(self, path: Path, text: str) -> None:
        """Writes a file that only the user may read."""
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, folder: Path) -> bool:
        """True when every existing folder above lets the user through."""
        return self.uid is None or all(_lets_through(above, self.uid, self.gid) for above in folder.absolute().parents)

    def run(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command as the user to its end."""
        return subprocess.run(
            argv,
            env=env,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )


def _entry(name: str) -> pwd.struct_passwd | None:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name)
    return None


def _lets_through(folder: Path, uid: int, gid: int | None) -> bool:
    try:
        found = folder.stat()
    except FileNotFoundError:
        return True
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IXUSR)
    return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == gid else stat.S_IXOTH))


@dataclass(frozen=True)
class Keeping:
    """Whose a server is: it ends with the process `owner` (ours when None), which then also loses the folders `remove`.

    `hold` is a descriptor that the keeper keeps open, so that a lock taken on it lasts until the server is gone.
    """

    owner: int | None = None
    remove: Sequence[Path] = ()
    hold: int | None = None


OURS = Keeping()


class Process:
    """One server process under a keeper: it ends with its owner, however that one ends."""

    def __init__(
        self,
        name: str,
        *commands: Sequence[str],
        log: Path,
        env: Mapping[str, str],
        account: Account | None = None,
        keeping: Keeping = OURS,
        stop_signal: int = signal.SIGTERM,
        grace_s: float = 10.0,
    ) -> None:
        self.name = name
        self.log = log
        self.grace_s = grace_s
        self._env = dict(env)
        self._hold = () if keeping.hold is None else (keeping.hold,)
        self._spec = {
            "commands": [list(command) for command in commands],
            "owner": keeping.owner or os.getpid(),
            "log": str(log),
            "cwd": "/",
            "uid": account.uid if account else None,
            "gid": account.gid if account else None,
            "remove": [str(folder) for folder in keeping.remove],
            "stop_signal": int(stop_signal),
            "grace_s": grace_s,
        }
        self._keeper: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None

    def start(self) -> None:
        """Starts it; raises ServerFailed when its command cannot be run."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_KEEPER), json.dumps(self._spec)],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=self._hold,
        )
        assert self._keeper.stdout is not None
        with self._keeper.stdout as answer:
            said = answer.readline()
        if not said:
            self._keeper.wait()
            raise ServerFailed(f"{self.name} cannot be started: {log_tail(self.log, 1)}")
        self.pid = int(said)

    @property
    def keeper_pid(self) -> int | None:
        return self._keeper.pid if self._keeper else None

    def exit_code(self) -> int | None:
        """None while it runs; 128 + n after signal n."""
        return self._keeper.poll() if self._keeper else 0

    def is_alive(self) -> bool:
        return self._keeper is not None and self._keeper.poll() is None

    def stop(self) -> None:
        """Ends it politely, by force after `grace_s`; nothing when it does not run."""
        if self._keeper is not None and self._keeper.poll() is None:
            self._keeper.terminate()
        self._wait(self.grace_s + 10)

    def kill(self) -> None:
        """kill -9, as a crash; what it left behind is gone when this returns."""
        if self._keeper is not None and self.pid is not None and self._keeper.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._wait(10)

    def leave(self) -> None:
        """Lets it run on until its owner ends; this object no longer answers for it."""
        if self._keeper is not None:
            self._keeper.returncode = 0  # no warning of an unwaited child
            self._keeper = None

    def _wait(self, timeout_s: float) -> None:
        if self._keeper is None:
            return
        try:
            self._keeper.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._keeper.kill()  # takes its children along
            self._keeper.wait()


class Held:
    """Holds one process, if any, and lets others end it."""

    def __init__(self) -> None:
        self.process: Process | None = None

    def stop(self) -> None:
        """Ends it politely."""
        if self.process is not None:
            self.process.stop()

    def kill(self) -> None:
        """kill -9, as a crash."""
        if self.process is not None:
            self.process.kill()

    def is_alive(self) -> bool:
        return self.process is not None and self.process.is_alive()


def is_running(pid: int) -> bool:
    """True while there is a process with this id, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def find_program(*patterns: str) -> Path | None:
    """The newest file matching an absolute pattern, or the program of that name on PATH."""
    for pattern in patterns:
        if not pattern.startswith("/"):
            if found := shutil.which(pattern):
                return Path(found).resolve()
            continue
        matches = sorted(Path("/").glob(pattern[1:]), key=_version)
        if matches:
            return matches[-1]
    return None


def _version(path: Path) -> list[int]:
    return [int(part) for part in path.parts if part.isdigit()]
