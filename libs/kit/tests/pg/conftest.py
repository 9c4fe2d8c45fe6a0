"""A database per test, databases opened on it, and a TCP proxy that can lose what goes through it."""

import asyncio
import contextlib
import secrets
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from kit import pg
from testkit import databases

_SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = %(name)s"
Open = Callable[..., Awaitable[pg.Database]]


@pytest.fixture(scope="module")
def module_dsn(testkit_databases: Any, postgres_server: Any) -> Iterator[str]:
    with databases.Clone(testkit_databases, postgres_server.dsn, []) as address:
        yield address


@pytest_asyncio.fixture
async def dsn(module_dsn: str) -> AsyncIterator[str]:
    """A schema of the test's own, which is much cheaper than a database, as the place where everything happens."""
    schema = f"test_{secrets.token_hex(4)}"
    admin = await pg.Database.open(module_dsn, name="admin", size=1)
    await admin.run(f"CREATE SCHEMA {schema}")
    yield f"{module_dsn}?options=-c%20search_path%3D{schema}"
    await admin.run(f"DROP SCHEMA {schema} CASCADE")
    await admin.close()


@pytest_asyncio.fixture
async def open_database(dsn: str) -> AsyncIterator[Open]:
    async with contextlib.AsyncExitStack() as stack:

        async def opened(address: str = dsn, **options: Any) -> pg.Database:
            db = await pg.Database.open(address, name=options.pop("name", "kit"), **options)
            stack.push_async_callback(db.close)
            return db

        yield opened


@pytest_asyncio.fixture
async def db(open_database: Open) -> pg.Database:
    return await open_database()


@pytest_asyncio.fixture
async def pair(db: pg.Database) -> pg.Database:
    """A database with a table `pair (id int primary key, name text)`, empty."""
    await db.run("CREATE TABLE pair (id int PRIMARY KEY, name text)")
    return db


class Proxy:
    """Forwards to PostgreSQL; `is_frozen` forwards nothing more, `lose_at` cuts when a client says this."""

    def __init__(self, dsn: str) -> None:
        self._target = urllib.parse.urlsplit(dsn)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.is_frozen = False
        self.is_refusing = False
        self.lose_at: bytes | None = None
        self.losses_left = 1000
        self.hold_answer_at: bytes | None = None
        self.answer_held = asyncio.Event()
        self.let_go = asyncio.Event()
        self.dsn = ""
        self.connections = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        place = self._target.netloc.rpartition("@")[0]
        netloc = f"{place}@127.0.0.1:{port}" if place else f"127.0.0.1:{port}"
        self.dsn = self._target._replace(netloc=netloc).geturl()

    async def close(self) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Ends all connections at once."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.is_refusing:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers |= {writer, back}
        for task in (
            asyncio.ensure_future(self._requests(reader, back, writer)),
            asyncio.ensure_future(self._answers(there, writer)),
        ):
            self._tasks.add(task)

    async def _requests(self, source: Any, sink: asyncio.StreamWriter, client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if self.is_frozen:
                    continue
                if self.hold_answer_at is not None and self.hold_answer_at in data:
                    self.let_go.clear()
                    self._holding = True
                sink.write(data)
                if self.lose_at is not None and self.lose_at in data and self.losses_left:
                    self.losses_left -= 1
                    await sink.drain()
                    client.transport.abort()
        sink.transport.abort()

    _holding = False

    async def _answers(self, source: Any, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if self._holding:
                    self.answer_held.set()
                    await self.let_go.wait()
                    self._holding = False
                if not self.is_frozen:
                    sink.write(data)
        sink.transport.abort()


@pytest_asyncio.fixture
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    made = Proxy(dsn)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def backends(db: pg.Database) -> Callable[[str], Awaitable[int]]:
    """How many server processes run for an application name."""

    async def count(name: str) -> int:
        found: int = await db.one(pg.value, f"SELECT count(*) {_SESSIONS}", name=name)
        return found

    return count


@pytest.fixture
def terminate(db: pg.Database) -> Callable[[str], Awaitable[int]]:
    """Ends all server processes of an application name."""

    async def end(name: str) -> int:
        return await db.run(f"SELECT pg_terminate_backend(pid) {_SESSIONS}", name=name)

    return end
