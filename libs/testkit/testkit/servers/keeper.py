"""Keeps one server (and its side commands) and ends with it, or with the process that asked for it.

A script, not a module: it runs as `python -I -S keeper.py '<json>'`, so that it starts in 20 ms and imports nothing of
ours. The JSON: `commands` (argument lists; the last is the server), `owner` (pid: when it is gone, everything here
ends), `log` (file), `cwd`, `uid`/`gid` (or null), `stop_signal`, `grace_s`, `remove` (folders to delete when the owner
is gone).
It prints the server's pid as one line. SIGTERM stops the server politely; the exit status is the server's, 128 + n for
a signal. Nothing survives it: it adopts daemons the server left behind (subreaper) and kills them, and when it is
killed itself, the kernel kills its children.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
WATCH_PERIOD_S = 0.5


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _spawn(argv: list[str], spec: dict[str, Any], log: int) -> int:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=spec["cwd"],
        user=spec["uid"],
        group=spec["gid"],
        extra_groups=None if spec["uid"] is None else [],
        # Runs after the change of user, which would clear it.
        preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    process.returncode = 0  # reaped by hand below
    return process.pid


class _Owner:
    """Tells when the owner is gone; by pidfd where the kernel has them, else by asking every half second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.fd: int | None = None
        with contextlib.suppress(OSError, AttributeError):
            self.fd = os.pidfd_open(pid)

    def is_gone(self) -> bool:
        if self.fd is not None:
            return bool(select.select([self.fd], [], [], 0)[0])
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def _children() -> list[int]:
    """Every living child, adopted ones too."""
    try:
        listing = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    except OSError:
        asked = ["ps", "-o", "pid=", "--ppid", str(os.getpid())]
        listing = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in listing.split()]


def _kill_rest() -> None:
    """Ends what the server left: each round kills the children, whose own children then become ours."""
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


class _Server:
    def __init__(self, pid: int, stop_signal: int, grace_s: float) -> None:
        self._pid, self._stop_signal, self._grace_s = pid, stop_signal, grace_s
        self._kill_at: float | None = None
        self.exit_code: int | None = None

    @property
    def is_stopping(self) -> bool:
        return self._kill_at is not None

    def stop(self) -> None:
        self._kill_at = time.monotonic() + self._grace_s
        os.kill(self._pid, self._stop_signal)

    def look(self) -> None:
        """Buries dead children, notes the server's end, and loses patience when its time is over."""
        with contextlib.suppress(ChildProcessError):
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                if dead[0] == self._pid:
                    self.exit_code = os.waitstatus_to_exitcode(dead[1])
        if self.exit_code is None and self._kill_at is not None and time.monotonic() >= self._kill_at:
            os.kill(self._pid, signal.SIGKILL)


def _keep(server: _Server, owner: _Owner, wakeups: int, asked: list[int]) -> None:
    watched = [wakeups] if owner.fd is None else [wakeups, owner.fd]
    while server.exit_code is None:
        ready = select.select([wakeups] if server.is_stopping else watched, [], [], WATCH_PERIOD_S)[0]
        if wakeups in ready:
            os.read(wakeups, 64)
        server.look()
        if server.exit_code is None and not server.is_stopping and (asked or owner.is_gone()):
            server.stop()


def main() -> int:
    spec = json.loads(sys.argv[1])
    owner = _Owner(spec["owner"])
    asked: list[int] = []
    wakeups, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: asked.append(received))
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    log = os.open(spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        pids = [_spawn(argv, spec, log) for argv in spec["commands"]]
    except OSError as error:
        os.write(log, f"cannot run {spec['commands'][-1][0]}: {error}\n".encode())
        _kill_rest()
        return 127
    sys.stdout.write(f"{pids[-1]}\n")
    sys.stdout.close()
    server = _Server(pids[-1], spec["stop_signal"], spec["grace_s"])
    _keep(server, owner, wakeups, asked)
    _kill_rest()
    if owner.is_gone():
        for folder in spec["remove"]:
            shutil.rmtree(folder, ignore_errors=True)
    code = server.exit_code or 0
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
