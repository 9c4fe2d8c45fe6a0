"""Recording requests off their path, bringing them into the database in batches, and forgetting them in time."""

import asyncio
import contextlib
import functools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from kit import errors, logs, metrics, pg, scope, web
from maas_authproxy.audit import model, queries

CAPACITY = 10_000
BATCH = 500
_GATHER_S = 0.2
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
FLUSH_S = 5.0

_DROPPED = metrics.counter("maas_authproxy_audit_dropped_total", "Entries that were never written", ("reason",))
_WRITTEN = metrics.counter("maas_authproxy_audit_written_total", "Entries that were written")
_WAITING = metrics.gauge("maas_authproxy_audit_waiting", "Entries that wait for the database")

type_of_write = Callable[[Sequence[model.Entry]], Awaitable[object]]


class Trail:
    """At most `capacity` entries that wait for `write`, and the task that brings them there in batches.

    `async with` starts it; leaving writes what waits, for at most `flush_s` seconds.
    """

    def __init__(self, write: type_of_write, *, capacity: int = CAPACITY, flush_s: float = FLUSH_S) -> None:
        self._write = write
        self._capacity = capacity
        self._flush_s = flush_s
        self._waiting: deque[model.Entry] = deque()
        self._has_some = asyncio.Event()
        self._is_closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, entry: model.Entry) -> None:
        """Takes an entry, at no cost to the request. When there is no room, the oldest one goes.

        Strangers get half of the room, so that a flood of bad keys does not push out what partners did.
        """
        if entry.partner is None and len(self._waiting) >= self._capacity // 2:
            _DROPPED.labels("stranger").inc()
            return
        self._waiting.append(entry)
        self._make_room()
        self._has_some.set()

    def _make_room(self) -> None:
        while len(self._waiting) > self._capacity:
            self._waiting.popleft()
            _DROPPED.labels("full").inc()

    async def __aenter__(self) -> Self:
        _WAITING.set_function(self.__len__)
        self._task = asyncio.create_task(self._work(), name="audit trail")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing.set()
        self._has_some.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._flush_s):
                    await self._task
        if self._waiting:
            _DROPPED.labels("shutdown").inc(len(self._waiting))
            logs.error("audit_lost", count=len(self._waiting))

    async def _work(self) -> None:
        pause_s = 0.0
        while True:
            await self._has_some.wait()
            await self._gather()
            pause_s = await self._brought(pause_s)
            if not self._waiting:
                if self._is_closing.is_set():
                    return
                self._has_some.clear()
            elif pause_s:
                await asyncio.sleep(pause_s)

    async def _gather(self) -> None:
        """Lets a batch grow, unless it has or the process ends."""
        if len(self._waiting) < BATCH:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GATHER_S):
                    await self._is_closing.wait()

    async def _brought(self, pause_s: float) -> float:
        """Writes one batch; how many seconds to wait after a failure, longer each time, 0.0 after a success."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        if not batch:
            return 0.0
        try:
            await self._write(batch)
        except BaseException as failure:
            self._waiting.extendleft(reversed(batch))
            self._make_room()
            if not isinstance(failure, Exception):
                raise
            if not pause_s:
                _log_delay(failure)
            return min(_LONGEST_PAUSE_S, pause_s * 2 or _FIRST_PAUSE_S)
        _WRITTEN.inc(len(batch))
        return 0.0


def _log_delay(failure: Exception) -> None:
    if isinstance(failure, errors.Unavailable):
        logs.warning("audit_delayed", reason=failure.code)
    else:
        logs.exception("audit_delayed", exc=failure)


def trail(db: pg.Database) -> Trail:
    """The trail that ends in `db`."""
    return Trail(functools.partial(queries.insert, db))


@dataclass(slots=True)
class Outcome:
    """What is known of a request when it ends; a refusal sets the status by itself."""

    status: int = 0
    subject: model.Subject = field(default_factory=model.Subject)


@contextlib.contextmanager
def recorded(note: Callable[[model.Entry], None], who: model.Who, *, method: str, route: str) -> Iterator[Outcome]:
    """Leaves an entry for what the body of the with statement answers or refuses."""
    outcome = Outcome()
    try:
        yield outcome
    except BaseException as failure:
        outcome.status = web.answers.STATUS[_kind_of(failure)]
        raise
    finally:
        note(_entry(who, method, route, outcome))


def _kind_of(failure: BaseException) -> errors.Kind:
    if isinstance(failure, errors.Refusal):
        return failure.kind
    # A request is cancelled by its deadline.
    return errors.Kind.TIMEOUT if isinstance(failure, asyncio.CancelledError) else errors.Kind.INTERNAL


def _entry(who: model.Who, method: str, route: str, outcome: Outcome) -> model.Entry:
    here = scope.current()
    return model.Entry(
        at=who.at,
        partner=who.partner,
        key_id=who.key_id,
        route=route,
        method=method,
        status=outcome.status,
        duration_ms=round((time.perf_counter() - who.started) * 1000),
        request_id="" if here is None else here.request_id,
        pass_id=outcome.subject.pass_id,
        maas_user_id=outcome.subject.maas_user_id,
    )


async def purge(*, db: pg.Database) -> int:
    """Deletes what is older than 180 days; how many entries."""
    return await pg.in_batches(lambda limit: queries.delete_old(db, days=model.KEPT_DAYS, limit=limit))
