"""All or nothing."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import psycopg2

from kit import failpoints, logs, scope
from kit.pg import faults, link, pool, statements


class Transaction(statements.Statements):
    """All or nothing; for one task, used once. Lives inside `async with db.transaction()`."""

    __slots__ = ("_callbacks", "_has_failed", "_has_written", "_link", "_pool", "_state", "_task", "_where")

    def __init__(self, connections: pool.Pool, where: str) -> None:
        self._pool = connections
        self._where = where
        self._link: link.Link | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._state = "new"
        self._has_written = False
        self._has_failed = False
        self._task: asyncio.Task[Any] | None = None

    def after_commit(self, fn: Callable[[], None]) -> None:
        """Has `fn` called once when the COMMIT has succeeded, never otherwise; what it raises is only logged."""
        self._require_open()
        self._callbacks.append(fn)

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise RuntimeError("a transaction is entered once")
        self._pool.refuse_nested()
        self._task = asyncio.current_task()
        assert self._task is not None
        self._pool.holders.add(self._task)
        self._state = "open"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._state = "over"
        try:
            if error is None:
                await self._commit()
            else:
                await self._undo(error)
        finally:
            self._leave()

    async def _execute(self, sql: str, args: dict[str, Any]) -> Any:
        self._require_open()
        plan, args = statements.planned(sql, args)
        self._has_written = self._has_written or not plan.is_read
        try:
            if self._link is None:
                return await self._begin(sql, args)
            return await statements.sent(self._link, sql, args, self._pool.observe_query)
        except BaseException as error:
            self._has_failed = True
            if isinstance(error, faults.ConnectionLost):
                raise _undone(error) from None
            raise

    def _require_open(self) -> None:
        if self._state != "open":
            raise RuntimeError("the transaction is over, or was not entered")
        if self._has_failed:
            raise RuntimeError("a statement of this transaction has failed: nothing more can be done in it")

    async def _begin(self, sql: str, args: dict[str, Any]) -> Any:
        try:
            return await self._begin_once(sql, args)
        except faults.ConnectionLost as lost:
            # Nothing of it can have been committed; a dead connection out of the pool is worth a second one.
            if lost.is_timeout:
                raise
        self._give_back()
        return await self._begin_once(sql, args)

    async def _begin_once(self, sql: str, args: dict[str, Any]) -> Any:
        self._link = await self._pool.acquire()
        return await statements.sent(self._link, f"BEGIN;{sql}", args, self._pool.observe_query)

    async def _commit(self) -> None:
        held = self._link
        if held is None:
            self._call_back()
            return
        if self._has_failed or (not held.closed and held.transaction_status() != link.IN_TRANSACTION):
            await self._roll_back(held)
            raise RuntimeError("the body went on after a failed statement: the transaction was undone")
        if self._has_written:
            failpoints.reach(self._where, "before_commit")
        cursor, cancelled = await self._send_commit(held)
        if cursor.statusmessage != "COMMIT":
            raise RuntimeError("the database undid the transaction")
        self._committed()
        if cancelled is not None:
            raise cancelled

    async def _send_commit(self, held: link.Link) -> tuple[Any, asyncio.CancelledError | None]:
        try:
            return await held.settle("COMMIT")
        except psycopg2.Error as error:
            raise faults.translated(error) from None
        except faults.ConnectionLost as lost:
            if not (lost.was_sent and self._has_written):
                raise _undone(lost) from None
            scope.note_write()
            raise faults.OutcomeUnknown from None

    def _committed(self) -> None:
        self._give_back()
        if self._has_written:
            scope.note_write()
            failpoints.reach(self._where, "after_commit")
        self._call_back()

    def _call_back(self) -> None:
        for fn in self._callbacks:
            try:
                fn()
            except Exception as error:
                logs.exception("after_commit_failed", exc=error)

    async def _undo(self, error: BaseException) -> None:
        held = self._link
        if held is None:
            return
        if isinstance(error, GeneratorExit):
            held.drop()
        else:
            await self._roll_back(held)

    async def _roll_back(self, held: link.Link) -> None:
        if held.closed or held.transaction_status() == link.IDLE:
            return
        try:
            _, cancelled = await held.settle("ROLLBACK")
        except (psycopg2.Error, faults.ConnectionLost, RuntimeError):
            held.drop()
            return
        if cancelled is not None:
            raise cancelled

    def _leave(self) -> None:
        self._give_back()
        if self._task is not None:
            self._pool.holders.discard(self._task)

    def _give_back(self) -> None:
        if self._link is not None:
            self._pool.release(self._link)
            self._link = None


def _undone(lost: faults.ConnectionLost) -> Exception:
    return faults.StatementTimeout() if lost.is_timeout else faults.Unavailable()
