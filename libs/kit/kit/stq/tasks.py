"""The task table: what a task is, how it is declared, and what a running one holds."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma

from kit import pg
from kit.stq import ledger

_NAME = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+")


class GiveUp(Exception):
    """Raised by a task that no further attempt can help: the row is dead at once, `reason` (no secrets) its error."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LeaseLost(Exception):
    """Somebody else holds this task by now; whatever transaction noticed must roll back."""


@dataclass(slots=True, kw_only=True)
class Claim:
    """One attempt at one task: `kwargs` as loaded by its schema, `attempt` from 1, `token` fences late writes."""

    id: int
    name: str
    task_id: str
    kwargs: Any
    attempt: int
    token: int
    is_finishing: bool = field(default=False, repr=False)
    is_finished: bool = field(default=False, repr=False)

    async def finish(self, tx: pg.Transaction) -> None:
        """Marks the task done in the task's own transaction; LeaseLost when it is somebody else's by now."""
        self.is_finishing = True
        if not await ledger.finish_within(tx, self.id, self.token):
            raise LeaseLost(self.name)
        tx.after_commit(self._note_finished)

    def _note_finished(self) -> None:
        self.is_finished = True


Function = Callable[[Any, Claim], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A line of the task table; calling it calls its function."""

    name: str
    function: Function
    schema: ma.Schema
    max_attempts: int | None
    max_age_s: float | None
    time_limit_s: float
    concurrency: int
    backoff_s: tuple[float, float]

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.max_attempts is None and self.max_age_s is None:
            raise ValueError(f"{self.name}: without max_attempts or max_age_s it would be tried without end")
        if self.concurrency < 1 or self.time_limit_s <= 0:
            raise ValueError(f"{self.name}: concurrency and time_limit_s must be positive")

    async def __call__(self, context: Any, claim: Claim) -> None:
        await self.function(context, claim)


@dataclass(frozen=True, slots=True)
class Every:
    """A line of the schedule: this task is enqueued once in each period, across all replicas."""

    name: str
    period_s: float

    def __post_init__(self) -> None:
        if self.period_s < 1:
            raise ValueError(f"{self.name}: the schedule is looked at once a second")


def task(
    name: str,
    /,
    *,
    kwargs: ma.Schema,
    max_attempts: int | None = 10,
    max_age_s: float | None = None,
    time_limit_s: float = 15.0,
    concurrency: int = 8,
    backoff_s: tuple[float, float] = (1.0, 300.0),
) -> Callable[[Function], Task]:
    """Declares a task: a failure waits `random(0, min(cap, first * 2 ** (attempt - 1)))` s of `backoff_s`.

    After `max_attempts` or once `max_age_s` is over since it was first due, a failed task is dead. It may run more
    than once, so each says in its docstring why that is harmless.
    """

    def declare(function: Function) -> Task:
        return Task(
            name=name,
            function=function,
            schema=kwargs,
            max_attempts=max_attempts,
            max_age_s=max_age_s,
            time_limit_s=time_limit_s,
            concurrency=concurrency,
            backoff_s=backoff_s,
        )

    return declare


def every(name: str, /, period_s: float) -> Every:
    """A schedule entry; the task gets no kwargs."""
    return Every(name, period_s)


def check_name(name: str) -> None:
    """ValueError unless it looks like `service.noun.verb`."""
    if not _NAME.fullmatch(name) or len(name) > 128:
        raise ValueError(f"not a task name: {name!r}")


def owner(name: str) -> str:
    """The package name of the service that executes a task: `maas_authproxy` of `maas-authproxy.audit.purge`."""
    return name.partition(".")[0].replace("-", "_")
