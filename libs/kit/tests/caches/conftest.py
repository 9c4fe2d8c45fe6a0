"""Songs by name, each with a version; two memories of them on one database are two processes."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from kit import caches, pg
from testkit.waiting import until

Opened = Callable[..., Awaitable[caches.Caches]]


@dataclass(frozen=True, slots=True)
class Song:
    """What is kept."""

    name: str
    version: int


class Songs:
    """The songs of the database, and how often which of them were loaded.

    `failure` is raised instead of loading; while `gate` is closed, a load that has read stays there with what it read.
    """

    def __init__(self, db: pg.Database) -> None:
        self.db = db
        self.loads: list[list[str]] = []
        self.failure: BaseException | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.has_read = asyncio.Event()

    async def load(self, db: pg.Executor, keys: Sequence[str]) -> Mapping[str, Song]:
        """The loader of the Keyed."""
        self.loads.append(sorted(keys))
        if self.failure is not None:
            raise self.failure
        found = await db.all(Song, "SELECT name, version FROM songs WHERE name = ANY(%(names)s)", names=list(keys))
        self.has_read.set()
        await self.gate.wait()
        return {song.name: song for song in found}

    async def put(self, name: str, version: int, *, is_told: bool = True) -> None:
        """Stores a version, telling it as a trigger would."""
        async with self.db.transaction() as tx:
            await tx.run(
                "INSERT INTO songs VALUES (%(name)s, %(version)s)"
                " ON CONFLICT (name) DO UPDATE SET version = excluded.version",
                name=name,
                version=version,
            )
            if is_told:
                await tx.run("SELECT pg_notify('songs', %(word)s)", word=f"{name} {version}")

    async def tell(self, word: str) -> None:
        """Notifies without changing anything."""
        await self.db.run("SELECT pg_notify('songs', %(word)s)", word=word)

    @contextlib.contextmanager
    def closed_gate(self) -> Any:
        """Loads that read in the body stay there until its end."""
        self.gate.clear()
        self.has_read.clear()
        yield
        self.gate.set()


@pytest.fixture
async def db(make_database: Any) -> AsyncIterator[pg.Database]:
    async with make_database([]) as dsn:
        opened = await pg.Database.open(dsn, name="test")
        await opened.run("CREATE TABLE songs (name text PRIMARY KEY, version bigint NOT NULL)")
        yield opened
        await opened.close()


@pytest.fixture
def songs(db: pg.Database) -> Songs:
    return Songs(db)


@pytest.fixture
def kept(songs: Songs) -> caches.Keyed[Song]:
    return caches.Keyed("songs", channel="songs", load=songs.load)


@pytest.fixture
async def opened(db: pg.Database) -> AsyncIterator[Opened]:
    """Opens the memory of a process and waits until it listens."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_memory(*kept: Any) -> caches.Caches:
            memory = caches.Caches(db)
            stack.push_async_callback(memory.close)
            await memory.start(kept)
            await until(lambda: memory.is_listening)
            return memory

        yield open_memory


@pytest.fixture
async def memory(opened: Opened, kept: caches.Keyed[Song]) -> caches.Caches:
    """The memory of a process that listens."""
    return await opened(kept)


@pytest.fixture
def begun() -> Any:
    """Starts something and lets it run as far as it can without the database."""
    tasks: list[asyncio.Task[Any]] = []

    async def begin(work: Any) -> asyncio.Task[Any]:
        assert inspect.isawaitable(work)
        tasks.append(asyncio.ensure_future(work))
        await asyncio.sleep(0)
        return tasks[-1]

    return begin
