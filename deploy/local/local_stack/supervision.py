"""Parts of the running stack: each is watched by a thread, and started again when it ended without being asked to."""

import concurrent.futures
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from local_stack import failures
from testkit.servers import processes

_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 10.0
_STEADY_AFTER_S = 20.0
_WATCH_PERIOD_S = 0.05
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the environment names


class Runnable(Protocol):
    """A server; `start` may block until it answers."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def is_alive(self) -> bool: ...


class Command(processes.Held):
    """A process of ours as a Runnable; a new one each time, so that its command and environment may be changed."""

    def __init__(self, make: Callable[[], processes.Process]) -> None:
        super().__init__()
        self._make = make

    def start(self) -> None:
        self.process = self._make()
        self.process.start()


class Part:
    """One supervised part; all of its methods may be called from any thread."""

    def __init__(
        self,
        name: str,
        server: Runnable,
        report: Callable[[str, str], None],
        *,
        ready_url: str | None = None,
        why: Callable[[], str] = lambda: "",
    ) -> None:
        self.name = name
        self.server = server
        self._report = report
        self._ready_url = ready_url
        self._why = why
        self._lock = threading.Lock()
        self._wanted = False
        self._ending = threading.Event()
        self._watcher: threading.Thread | None = None
        self.crashes = 0

    def start(self, timeout_s: float = 30.0) -> None:
        """Starts it, waits until it is ready, and keeps it running from then on. Raises StackFailed."""
        began = time.monotonic()
        with self._lock:
            try:
                self.server.start()
            except (processes.ServerFailed, processes.ServerMissing) as failure:
                raise failures.StackFailed(str(failure)) from failure
        self.wait_ready(timeout_s)
        self._wanted = True
        self._report(self.name, f"ready in {time.monotonic() - began:.1f} s")
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name=f"watch-{self.name}", daemon=True)
            self._watcher.start()

    def wait_ready(self, timeout_s: float) -> None:
        """Until the monitor answers 200; raises StackFailed with the failing parts and the end of the log."""
        said = ""
        deadline = time.monotonic() + timeout_s
        while self._ready_url is not None:
            status, said = ask(self._ready_url)
            if status == 200:
                return
            if not self.server.is_alive():
                raise failures.StackFailed(f"{self.name} ended while starting:\n{self._why()}")
            if time.monotonic() > deadline:
                said = said.strip() or "no answer"
                raise failures.StackFailed(
                    f"{self.name} was not ready within {timeout_s:.0f} s ({said}):\n{self._why()}"
                )
            time.sleep(_WATCH_PERIOD_S)

    def stop(self) -> None:
        """Ends it politely; it stays down until `start`."""
        self._wanted = False
        with self._lock:
            self.server.stop()

    def kill(self, *, stay_down: bool = False) -> None:
        """kill -9; it is started again at once, as after any crash, unless it is to stay down until `start`."""
        if stay_down:
            self._wanted = False
        with self._lock:
            self.server.kill()

    def end(self) -> None:
        """Ends it for good, watcher and all."""
        self._ending.set()
        self.stop()
        if self._watcher is not None:
            self._watcher.join(60)

    def _watch(self) -> None:
        delay_s = _FIRST_DELAY_S
        started = time.monotonic()
        is_failing = False
        while not self._ending.wait(_WATCH_PERIOD_S):
            if not self._wanted:
                continue
            if self.server.is_alive():
                is_failing = False
                continue
            if time.monotonic() - started > _STEADY_AFTER_S:
                delay_s = _FIRST_DELAY_S
            if not is_failing:
                self.crashes += 1
                self._report(self.name, f"ended unasked ({self._verdict()}); starting it again")
            if self._ending.wait(delay_s):
                return
            started, delay_s = time.monotonic(), min(delay_s * 2, _LONGEST_DELAY_S)
            is_failing = not self._revive()

    def _verdict(self) -> str:
        code = getattr(getattr(self.server, "process", None), "exit_code", lambda: None)()
        if code is None or code < 0:
            return "killed with its keeper"
        return f"killed by {signal.Signals(code - 128).name}" if 128 < code < 160 else f"exit status {code}"

    def _revive(self) -> bool:
        """False when it must be tried again."""
        began = time.monotonic()
        try:
            with self._lock:
                if self._ending.is_set() or not self._wanted or self.server.is_alive():
                    return True
                self.server.start()
            self.wait_ready(30.0)
        except (processes.ServerFailed, failures.StackFailed) as failure:
            self._report(self.name, f"is not back yet: {failure}")
            return False
        self._report(self.name, f"is back after {time.monotonic() - began:.1f} s")
        return True


def ask(url: str, timeout_s: float = 2.0) -> tuple[int, str]:
    """GET: status and text; (0, reason) when nobody answers."""
    try:
        with _DIRECTLY.open(url, timeout=timeout_s) as answer:
            return answer.status, answer.read(4096).decode(errors="replace")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read(4096).decode(errors="replace")
    except (OSError, ValueError) as failure:
        return 0, str(failure)


def together(calls: Sequence[Callable[[], None]]) -> None:
    """Runs the calls at once and waits for all; the first failure is raised."""
    if not calls:
        return
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(call) for call in calls]
    for call in running:
        call.result()


def run_once(name: str, argv: Sequence[str], env: Mapping[str, str], log: Path, timeout_s: float) -> None:
    """Runs a command of a service to its end, its output in the log. Raises StackFailed."""
    process = processes.Process(name, argv, log=log, env=env)
    process.start()
    if not processes.wait_for(lambda: not process.is_alive(), timeout_s):
        process.kill()
        raise failures.StackFailed(f"{name} did not end within {timeout_s:.0f} s:\n{processes.log_tail(log)}")
    if process.exit_code():
        raise failures.StackFailed(f"{name} failed:\n{processes.log_tail(log)}")
