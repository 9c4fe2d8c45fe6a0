"""What the request or task at hand carries with it: its name, its deadline, its trace, and whether it has written.

One context variable, set by `kit.web` and `kit.stq` and read by everything below them, so that no function passes
a deadline or a request id along by hand.
"""

import contextlib
import contextvars
import time
from dataclasses import dataclass


@dataclass(slots=True)
class Scope:
    """One request or task: `operation` is its route template or task name, `deadline` a time of the event loop."""

    operation: str
    request_id: str = ""
    deadline: float | None = None
    language: str = "ru"
    traceparent: str | None = None
    has_written: bool = False

    def remaining_s(self, default: float) -> float:
        """Seconds until the deadline, never below zero; `default` when there is none."""
        if self.deadline is None:
            return default
        return max(0.0, self.deadline - time.monotonic())


_current: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("kit_scope", default=None)


def current() -> Scope | None:
    """The scope of the running request or task, None outside of both."""
    return _current.get()


class _Entered:
    __slots__ = ("_scope", "_token")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __enter__(self) -> Scope:
        self._token = _current.set(self._scope)
        return self._scope

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def begin(scope: Scope) -> None:
    """Makes `scope` the current one until the running task ends, which costs less than a with statement."""
    _current.set(scope)


def entered(scope: Scope) -> contextlib.AbstractContextManager[Scope]:
    """Makes `scope` the current one for the body of the with statement."""
    return _Entered(scope)


def note_write() -> None:
    """Says that something durable happened, so that a later failure is not reported as "nothing was done" (503)."""
    if (scope := _current.get()) is not None:
        scope.has_written = True


def remaining_s(default: float) -> float:
    """Seconds that the current scope has left; `default` outside of a scope or without a deadline."""
    scope = _current.get()
    return default if scope is None else scope.remaining_s(default)
