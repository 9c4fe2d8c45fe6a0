"""Enqueueing: a row in the caller's transaction, and after its commit a word to whoever may act on it."""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from kit import logs, pg, trace
from kit.stq import ledger, outbox, tasks, wire

_NONE: Mapping[str, Any] = MappingProxyType({})


class Queue:
    """Where a service puts its tasks and those it has for others; `service` is its package's name."""

    def __init__(self, service: str, db: pg.Database, broker: wire.Carrier) -> None:
        self.service = service.replace("-", "_")
        self.db = db
        self.broker = broker
        self._on_enqueued: Callable[[str], None] = _ignore
        self._on_outbox: Callable[[], None] = _ignore

    def attend(self, on_enqueued: Callable[[str], None], on_outbox: Callable[[], None]) -> None:
        """Lets the worker of this very process know at once while the broker is away."""
        self._on_enqueued = on_enqueued
        self._on_outbox = on_outbox

    def neglect(self) -> None:
        """Takes `attend` back."""
        self._on_enqueued = self._on_outbox = _ignore

    async def enqueue(
        self,
        tx: pg.Transaction,
        name: str,
        /,
        *,
        task_id: str,
        kwargs: Mapping[str, Any] = _NONE,
        delay_s: float = 0,
        again: bool = False,
    ) -> None:
        """Enqueues a task as part of `tx`, not before `delay_s` s; a `task_id` known to `name` changes nothing.

        With `again`, which only the own service's tasks take, a task that is done or dead begins anew. `kwargs` must
        be JSON and hold nothing secret: operators read them.
        """
        wire.check(name, task_id)
        if tasks.owner(name) == self.service:
            await self._insert(tx, name, task_id, kwargs, delay_s, again=again)
            return
        if again:
            raise ValueError("only a service itself can begin its task anew")
        message = wire.dump(wire.message(name, task_id, kwargs, trace.outgoing()))
        await outbox.insert(tx, queue=name, message=message, delay_s=float(delay_s))
        tx.after_commit(self._tell_relay)

    async def _insert(
        self,
        tx: pg.Transaction,
        name: str,
        task_id: str,
        kwargs: Mapping[str, Any],
        delay_s: float,
        *,
        again: bool,
    ) -> None:
        is_new = await ledger.insert(
            tx,
            queue=name,
            task_id=task_id,
            kwargs=wire.dump(dict(kwargs)),
            delay_s=float(delay_s),
            traceparent=trace.outgoing(),
            again=again,
        )
        # What is due later is found by the sweeper; a bell would only be answered in vain.
        if is_new and delay_s <= 0:
            tx.after_commit(functools.partial(self._tell_workers, name))

    def _tell_workers(self, name: str) -> None:
        try:
            # The bell goes to whichever replica is free; without a broker this very process answers it.
            if self.broker.is_connected:
                self.broker.ring(name)
            else:
                self._on_enqueued(name)
        except Exception:
            # The task is committed: nothing that goes wrong from here on may fail the request.
            logs.exception("bell_failed", task=name)

    def _tell_relay(self) -> None:
        self._on_outbox()


def _ignore(*_: Any) -> None:
    """Nobody attends."""
