"""One attempt at one task, from the claimed row to what is to be written about it."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import marshmallow as ma
import orjson

from kit import errors, logs, scope, trace
from kit.stq import ledger, measures, queue, tasks

Result = Literal["done", "retry", "dead", "lost", "returned"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `error` is what `last_error` says, `delay_s` the wait before the next attempt."""

    task_id: str
    attempt: int
    result: Result
    error: str | None = None
    delay_s: float = 0.0


def claim_of(task: tasks.Task, row: ledger.Row) -> tasks.Claim:
    """The claim a task gets; its kwargs are not loaded yet."""
    return tasks.Claim(
        id=row.id, name=task.name, task_id=row.task_id, kwargs=None, attempt=row.attempt, token=row.lease_token
    )


async def execute(task: tasks.Task, row: ledger.Row, claim: tasks.Claim, context: Any) -> Outcome:
    """Runs the task within its scope and time limit; raises nothing but its own cancellation."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    here = scope.Scope(
        operation=task.name,
        request_id=f"task-{row.id}",
        deadline=started + task.time_limit_s,
        traceparent=trace.continued(row.traceparent),
    )
    with scope.entered(here), trace.span("task", task=task.name):
        failure = await _failure(task, row, claim, context)
        took_s = loop.time() - started
        outcome = _outcome(task, row, claim, failure, row.age_s + took_s)
        if failure is not None:
            _log(task, outcome, failure)
    measures.run_seconds.labels(task.name).observe(took_s)
    return outcome


class _TimeLimit(Exception):
    """The task took longer than its time limit."""


class _CancelledItself(Exception):
    """Something inside of the task was cancelled, and the task let it through."""


class _InvalidKwargs(Exception):
    """The kwargs are not what the task's schema says."""


async def _failure(task: tasks.Task, row: ledger.Row, claim: tasks.Claim, context: Any) -> Exception | None:
    try:
        claim.kwargs = task.schema.load(orjson.loads(row.kwargs), unknown=ma.EXCLUDE)
    except ma.ValidationError as invalid:
        return _InvalidKwargs(", ".join(sorted(map(str, invalid.messages_dict))))
    limit = asyncio.timeout(task.time_limit_s)
    try:
        async with limit:
            await task.function(context, claim)
    except TimeoutError as failure:
        return _TimeLimit() if limit.expired() else failure
    except asyncio.CancelledError:
        # Only a cancellation that was asked of this very task is the worker's; the rest is a failure like another.
        if (running := asyncio.current_task()) is None or running.cancelling():
            raise
        return _CancelledItself()
    except Exception as failure:
        return failure
    return None


def _outcome(task: tasks.Task, row: ledger.Row, claim: tasks.Claim, failure: Exception | None, age_s: float) -> Outcome:
    if failure is None or claim.is_finished:
        return Outcome(row.task_id, row.attempt, "done")
    error = describe(failure)
    if isinstance(failure, tasks.LeaseLost):
        return Outcome(row.task_id, row.attempt, "lost", error)
    if isinstance(failure, tasks.GiveUp | _InvalidKwargs) or _is_last(task, row, age_s):
        return Outcome(row.task_id, row.attempt, "dead", error)
    return Outcome(row.task_id, row.attempt, "retry", error, delay_s(task, row.attempt))


def _is_last(task: tasks.Task, row: ledger.Row, age_s: float) -> bool:
    is_worn_out = task.max_attempts is not None and row.attempt >= task.max_attempts
    return is_worn_out or (task.max_age_s is not None and age_s >= task.max_age_s)


def delay_s(task: tasks.Task, attempt: int) -> float:
    """Exponential backoff with full jitter: anything from 0 to `min(cap, first * 2 ** (attempt - 1))` seconds."""
    first, cap = task.backoff_s
    return random.uniform(0, min(cap, first * 2 ** min(attempt - 1, 30)))  # noqa: S311


def describe(failure: Exception) -> str:
    """At most 200 characters for the operator: the code of a refusal, else the class and a masked first line."""
    match failure:
        case _TimeLimit():
            return "time_limit"
        case _InvalidKwargs():
            return f"invalid_kwargs: {failure}"[:200]
        case tasks.LeaseLost():
            return "lease_lost"
        case _CancelledItself():
            return "cancelled"
        case tasks.GiveUp():
            return _shown(f"gave up: {failure.reason}")
        case errors.Refusal():
            return failure.code
    # A database's second line is the values of the row; a key error's text may be a value as well.
    text = str(failure).partition("\n")[0]
    return _shown(f"{type(failure).__name__}: {text}" if text else type(failure).__name__)


def _shown(text: str) -> str:
    return logs.masked(text.replace("\0", ""))[:200]


def _log(task: tasks.Task, outcome: Outcome, failure: Exception) -> None:
    say = logs.error if outcome.result == "dead" else logs.warning
    # A refusal is a fact with a name; only what nobody foresaw needs its frames.
    is_known = isinstance(failure, errors.Refusal | tasks.GiveUp | tasks.LeaseLost | _TimeLimit | _InvalidKwargs)
    say(
        "task_failed",
        task=task.name,
        attempt=outcome.attempt,
        outcome=outcome.result,
        reason=outcome.error,
        exc_info=None if is_known else failure,
    )


def ending(claim: tasks.Claim, outcome: Outcome) -> ledger.Ending | None:
    """What to write in the ledger; None when there is nothing to write, or nothing that is ours to write."""
    if claim.is_finished or outcome.result == "lost":
        return None
    match outcome.result:
        case "done":
            return ledger.Ending(claim.id, claim.token, "done")
        case "dead":
            return ledger.Ending(claim.id, claim.token, "dead", error=outcome.error)
        case "returned":
            return ledger.Ending(claim.id, claim.token, "waiting", uncounted=1)
    return ledger.Ending(claim.id, claim.token, "waiting", delay_s=outcome.delay_s, error=outcome.error)


def count(name: str, result: Result) -> None:
    """Counts an attempt that is written down."""
    measures.tasks.labels(name, result).inc()
    if result == "dead":
        measures.dead.labels(name).inc()


def table_of(given: Sequence[tasks.Task]) -> Mapping[str, tasks.Task]:
    """The tasks by name; ValueError when a name is there twice."""
    table = {each.name: each for each in given}
    if len(table) != len(given):
        raise ValueError("a task is in the table twice")
    return table


async def run_due(
    service_queue: queue.Queue, given: Sequence[tasks.Task], context: Any, name: str, *, all: bool = False
) -> list[Outcome]:
    """Runs what is due of one task at this moment, one row or `all`, in place; for tests, through the worker's code."""
    task = table_of(given)[name]
    rows = await ledger.claim(service_queue.db, queue=name, limit=1000 if all else 1, lease_s=60)
    outcomes = []
    for row in rows:
        claim = claim_of(task, row)
        outcome = await execute(task, row, claim, context)
        if (end := ending(claim, outcome)) is not None:
            await ledger.finish(service_queue.db, [end])
        count(name, outcome.result)
        outcomes.append(outcome)
    return outcomes
