"""What is said while the stack starts, heals and stops."""

import threading
import time


def quiet(name: str, text: str) -> None:
    """Reports nothing."""


class Console:
    """Progress lines: seconds since the start, the part, what happened."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, name: str, text: str) -> None:
        with self._lock:
            print(f"{time.monotonic() - self._began:6.1f} s  {name:<16} {text}", flush=True)
