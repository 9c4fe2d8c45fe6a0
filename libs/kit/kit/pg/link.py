"""One connection: an `aiopg.Connection` whose waiting is done here, since aiopg's has traps.

aiopg raises a server's statement timeout as CancelledError, tells the loop's exception handler about it, and looks at
failed sockets with select(), which cannot see file descriptors from 1024 on. tests/pg/test_link.py holds what of
aiopg 1.4.0 this relies on.
"""

import asyncio
import select
from collections.abc import Callable, Mapping
from typing import Any, cast

import aiopg
import psycopg2
import psycopg2.extensions

from kit.pg import adapt, faults, session

CONNECT_TIMEOUT_S = 2.0
# How much longer than the server's own limit an answer is waited for before the connection counts as dead.
SILENCE_S = 1.0
IDLE = psycopg2.extensions.TRANSACTION_STATUS_IDLE
IN_TRANSACTION = psycopg2.extensions.TRANSACTION_STATUS_INTRANS

adapt.register()


class Link(aiopg.Connection):
    """One connection, used by one task at a time."""

    @classmethod
    async def open(cls, wanted: Mapping[str, str], answer_limit_s: float) -> "Link":
        """Connects within 2 s; OSError, TimeoutError or a driver's error when that fails."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            failure: Exception = OSError("the host has no address")
            for address in await session.addresses(wanted):
                try:
                    return await cls._opened(wanted, address, answer_limit_s)
                except (OSError, RuntimeError, psycopg2.Error) as error:
                    failure = error
            raise failure

    @classmethod
    async def _opened(cls, wanted: Mapping[str, str], address: str | None, answer_limit_s: float) -> "Link":
        place = {} if address is None else {"hostaddr": address}
        link = cls(
            None, CONNECT_TIMEOUT_S, enable_json=False, enable_hstore=False, enable_uuid=False, **wanted, **place
        )
        await link._connect()
        link._begin_watch(answer_limit_s)
        return link

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.on_notify: Callable[[str, str], None] | None = None
        self.on_closed: Callable[[], None] | None = None
        self.is_spent = False
        self._death: psycopg2.Error | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._sent_at: float | None = None
        super().__init__(*args, **kwargs)

    def transaction_status(self) -> int:
        """libpq's state of the transaction, as this side knows it."""
        return cast(int, self._conn.get_transaction_status())

    def is_usable(self) -> bool:
        """Whether the next task may have it: alive, outside of a transaction, nothing under way."""
        return (
            not self._conn.closed and not self.is_spent and self._waiter is None and self.transaction_status() == IDLE
        )

    def is_quiet(self) -> bool:
        """Whether a connection that lay idle is still alive: the server has not said anything meanwhile."""
        if not self._conn.closed and self._poller.poll(0):
            self._ready(self._weakref)
        return not self._conn.closed and not self.is_spent

    def drop(self) -> None:
        """Closes it, now; whoever waits for an answer gets `ConnectionLost`."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._forget_socket()
        self._conn.close()
        self._wake(psycopg2.OperationalError("connection closed"))
        if (told := self.on_closed) is not None:
            self.on_closed = None
            told()

    def close(self) -> "asyncio.Future[None]":
        """As aiopg calls it; the future is done."""
        self.drop()
        done = self._loop.create_future()
        done.set_result(None)
        return done

    async def execute(self, sql: str, args: Any = None) -> Any:
        """Runs a statement and gives the driver's cursor with its whole result.

        Raises a driver's error that the server answered (the connection stays usable) or ConnectionLost. A cancelled
        statement closes the connection, unless the answer had already come.
        """
        waiter, cursor = self._send(sql, args)
        try:
            await waiter
        except psycopg2.Error as error:
            self._raise_lost(error)
            raise
        except TimeoutError:
            raise self._given_up() from None
        except BaseException:
            # An answer that came in the same turn of the loop leaves the connection in order.
            if not waiter.done() or waiter.cancelled() or waiter.exception() is not None:
                self.drop()
            raise
        finally:
            self._waiter = self._sent_at = None
        return cursor

    async def settle(self, sql: str) -> tuple[Any, asyncio.CancelledError | None]:
        """As `execute`, but a cancelled caller still waits for the answer, and gets its cancellation beside it."""
        waiter, cursor = self._send(sql, None)
        cancelled: asyncio.CancelledError | None = None
        try:
            while True:
                try:
                    await waiter
                except asyncio.CancelledError as error:
                    cancelled = error
                    if waiter.cancelled():
                        # The reader wakes whatever waiter it finds, so a fresh one gets the same answer.
                        waiter = self._waiter = self._loop.create_future()
                        continue
                    waiter.result()
                return cursor, cancelled
        except psycopg2.Error as error:
            self._raise_lost(error)
            raise
        except TimeoutError:
            raise self._given_up() from None
        except BaseException:
            self.drop()
            raise
        finally:
            self._waiter = self._sent_at = None

    def _send(self, sql: str, args: Any) -> tuple["asyncio.Future[None]", Any]:
        if self._waiter is not None:
            raise RuntimeError("two tasks use one connection at once: no gather inside a transaction")
        if self._conn.closed:
            raise faults.ConnectionLost(
                "closed before anything was sent",
                was_sent=False,
                is_timeout=self._death is not None and faults.is_timeout(self._death),
            )
        cursor = self._conn.cursor()
        waiter = self._waiter = self._loop.create_future()
        try:
            cursor.execute(sql, args)
        except BaseException as error:
            self._waiter = None
            self._refuse(error)
            raise
        self._sent_at = self._loop.time()
        self._ready(self._weakref)
        return waiter, cursor

    def _refuse(self, error: BaseException) -> None:
        # A value that cannot be adapted leaves the connection as it was; a failed send leaves a dead one.
        if self._conn.closed or isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
            self.drop()
            raise faults.ConnectionLost(type(error).__name__, was_sent=True) from None
        if isinstance(error, psycopg2.Error):
            raise TypeError(f"a parameter cannot be sent: {error}") from None

    def _raise_lost(self, error: psycopg2.Error) -> None:
        if self._conn.closed or faults.ends_connection(error):
            self.drop()
            reason = error.pgcode or type(error).__name__
            raise faults.ConnectionLost(reason, was_sent=True, is_timeout=faults.is_timeout(error)) from None

    def _given_up(self) -> faults.ConnectionLost:
        self.drop()
        return faults.ConnectionLost("no answer in time", was_sent=True, is_timeout=True)

    @staticmethod
    def _ready(weak_self: Any) -> None:
        """Called by the loop when the socket can be read or written."""
        link: Link | None = weak_self()
        if link is None or link._conn.closed:
            return
        try:
            state = link._conn.poll()
        except psycopg2.Error as error:
            link._failed(error)
            return
        link._hear()
        if link._waiter is None and link.on_notify is None:
            # Nothing was asked: most likely a good-bye, whose end of file is still to come.
            link.is_spent = True
        if state == psycopg2.extensions.POLL_WRITE:
            link._want_to_write()
            return
        link._stop_writing()
        if state == psycopg2.extensions.POLL_OK:
            link._wake(None)

    def _failed(self, error: psycopg2.Error) -> None:
        self._hear()
        if not self._conn.closed:
            self._stop_writing()
            self._wake(error)
            if self._waiter is None:
                self._death = error
            return
        # libpq has closed the socket: its number must be forgotten before anything else gets it.
        if self._death is None:
            self._death = error
        self._wake(error)
        self.drop()

    def _hear(self) -> None:
        notifies = self._conn.notifies
        while notifies:
            notice = notifies.pop(0)
            if self.on_notify is not None:
                self.on_notify(notice.channel, notice.payload)

    def _wake(self, error: Exception | None) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    def _want_to_write(self) -> None:
        if not self._writing:
            self._loop.add_writer(cast(int, self._fileno), self._ready, self._weakref)
            self._writing = True

    def _stop_writing(self) -> None:
        if self._writing:
            self._loop.remove_writer(cast(int, self._fileno))
            self._writing = False

    def _forget_socket(self) -> None:
        if self._fileno is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._fileno)
            self._stop_writing()
        self._fileno = None

    def _begin_watch(self, limit_s: float) -> None:
        self._poller = select.poll()
        self._poller.register(cast(int, self._fileno), select.POLLIN | select.POLLHUP | select.POLLERR)
        self._limit_s = limit_s
        self._watch = self._loop.call_later(limit_s, self._look)

    def _look(self) -> None:
        # One slow timer per connection instead of one per statement: it notices silence within 1.5 limits.
        if self._sent_at is not None and self._loop.time() - self._sent_at >= self._limit_s:
            self._wake(TimeoutError())
        self._watch = self._loop.call_later(self._limit_s / 2, self._look)
