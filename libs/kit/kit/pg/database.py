"""The database as services hold it: a pool, and statements that each commit by themselves."""

import asyncio
import sys
from types import FrameType
from typing import Any

from kit import failpoints, scope
from kit.pg import faults, link, pool, session, statements, transaction


class Database(statements.Statements):
    """A pool of connections to one database; each statement sent to it directly commits by itself.

    Such a change whose connection dies under it is OutcomeUnknown; a SELECT is tried once more. A SELECT that changes
    something through a function therefore belongs into a transaction.
    """

    __slots__ = ("_pool", "dsn")

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        name: str,
        size: int = 8,
        acquire_timeout_s: float = 1.0,
        statement_timeout_ms: int = 2000,
    ) -> "Database":
        """Makes the pool; connections are opened when they are needed, so this never fails for a dead server.

        ValueError when the DSN names several hosts.
        """
        return cls(dsn, name, size, acquire_timeout_s, statement_timeout_ms)

    def __init__(self, dsn: str, name: str, size: int, acquire_timeout_s: float, statement_timeout_ms: int) -> None:
        wanted = session.parameters(dsn, application_name=name, settings=_settings(statement_timeout_ms))
        answer_limit_s = statement_timeout_ms / 1000 + link.SILENCE_S

        async def connect() -> link.Link:
            return await link.Link.open(wanted, answer_limit_s)

        self.dsn = dsn
        self._pool = pool.Pool(connect, name=name, size=size, acquire_timeout_s=acquire_timeout_s)

    def __repr__(self) -> str:
        return f"<Database {self._pool.name}>"

    def transaction(self) -> transaction.Transaction:
        """`async with db.transaction() as tx:` commits at the end of the body, undoes everything when it raises.

        A body that sends no statement takes no connection. Neighbours are never called inside.
        """
        where = _place(sys._getframe(1)) if failpoints.is_armed() else ""
        return transaction.Transaction(self._pool, where)

    async def ping(self) -> None:
        """Asks the database something; Unavailable when it does not answer."""
        try:
            await self._execute("SELECT 1", {})
        except (faults.StatementTimeout, faults.StatementFailed):
            raise faults.Unavailable from None

    async def close(self) -> None:
        """Closes the pool within 5 s, whatever is still under way."""
        await self._pool.close()

    async def _execute(self, sql: str, args: dict[str, Any]) -> Any:
        plan, args = statements.planned(sql, args)
        self._pool.refuse_nested()
        if plan.is_read:
            return await self._read(sql, args)
        if failpoints.is_armed():
            return await self._write_slowly(sql, args, _place(sys._getframe(2)))
        return await self._write(sql, args)

    async def _read(self, sql: str, args: dict[str, Any]) -> Any:
        try:
            return await self._attempt(sql, args)
        except faults.ConnectionLost as lost:
            if lost.is_timeout:
                raise faults.StatementTimeout from None
        try:
            return await self._attempt(sql, args)
        except faults.ConnectionLost:
            raise faults.Unavailable from None

    async def _write(self, sql: str, args: dict[str, Any]) -> Any:
        try:
            cursor = await self._attempt(sql, args)
        except asyncio.CancelledError:
            scope.note_write()
            raise
        except faults.ConnectionLost as lost:
            if not lost.was_sent:
                raise faults.Unavailable from None
            scope.note_write()
            raise faults.OutcomeUnknown from None
        scope.note_write()
        return cursor

    async def _write_slowly(self, sql: str, args: dict[str, Any], where: str) -> Any:
        failpoints.reach(where, "before_commit")
        cursor = await self._write(sql, args)
        failpoints.reach(where, "after_commit")
        return cursor

    async def _attempt(self, sql: str, args: dict[str, Any]) -> Any:
        held = await self._pool.acquire()
        try:
            return await statements.sent(held, sql, args, self._pool.observe_query)
        finally:
            self._pool.release(held)


def _settings(statement_timeout_ms: int) -> dict[str, object]:
    return {
        "statement_timeout": statement_timeout_ms,
        "lock_timeout": 1000,
        "idle_in_transaction_session_timeout": 5000,
        "client_connection_check_interval": 500,
    }


def _place(frame: FrameType | None) -> str:
    """`module.function` of the first frame outside of this package."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith("kit.pg"):
        frame = frame.f_back
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}" if frame else "unknown"
