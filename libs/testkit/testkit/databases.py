"""A database per test: a clone of a template that is migrated once per set of migrations and test run."""

import asyncio
import concurrent.futures
import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from kit import migrate, pg
from testkit import servers
from testkit.servers import shared


def execute(dsn: str, *statements: str) -> None:
    """Runs statements such as CREATE DATABASE, each in autocommit; blocks, also when the caller lives in a loop."""

    async def run_all() -> None:
        db = await pg.Database.open(dsn, name="testkit", size=1, acquire_timeout_s=20, statement_timeout_ms=60_000)
        try:
            for statement in statements:
                await db.run(statement)
        finally:
            await db.close()

    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        beside.submit(asyncio.run, run_all()).result()


def _digest(streams: Sequence[migrate.Stream]) -> str:
    digest = hashlib.sha256()
    for stream in streams:
        for file in sorted(stream.folder.glob("*.sql")):
            digest.update(f"{stream.name}/{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


class Databases:
    """Makes templates and clones on one server; `run` keeps the runs that share a server apart."""

    def __init__(self, server_dsn: str, folder: Path, run: str) -> None:
        self._server_dsn = server_dsn
        self._folder = folder
        self._run = run
        self._templates: dict[tuple[tuple[str, Path], ...], str] = {}

    def template(self, streams: Sequence[migrate.Stream]) -> str:
        """The name of the template with these migrations, made by the first worker of the run that needs it."""
        key = tuple((stream.name, stream.folder) for stream in streams)
        if key not in self._templates:
            self._templates[key] = self._make_template(streams)
        return self._templates[key]

    def _make_template(self, streams: Sequence[migrate.Stream]) -> str:
        name = f"template_{self._run}_{_digest(streams)}"
        with shared.locked(self._folder, name):
            done = self._folder / f"{name}.done"
            if not done.exists():
                execute(self._server_dsn, f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}"')
                migrate.apply(servers.database_dsn(self._server_dsn, name), streams, report=lambda _: None)
                done.touch()
        return name

    def drop_templates(self) -> None:
        """Leaves a server that outlives the run as it was; for the run's first process, at its end."""
        for done in self._folder.glob("template_*.done"):
            execute(self._server_dsn, f'DROP DATABASE IF EXISTS "{done.stem}" WITH (FORCE)')


class Clone:
    """`async with` or `with` gives the DSN of a fresh migrated database, dropped at the end."""

    def __init__(self, databases: Databases, server_dsn: str, streams: Sequence[migrate.Stream]) -> None:
        self._databases = databases
        self._server_dsn = server_dsn
        self._streams = streams
        self._name = f"test_{secrets.token_hex(6)}"

    def __enter__(self) -> str:
        template = self._databases.template(self._streams)
        execute(self._server_dsn, f'CREATE DATABASE "{self._name}" TEMPLATE "{template}"')
        return servers.database_dsn(self._server_dsn, self._name)

    def __exit__(self, *_: object) -> None:
        execute(self._server_dsn, f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    async def __aenter__(self) -> str:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.__exit__)
