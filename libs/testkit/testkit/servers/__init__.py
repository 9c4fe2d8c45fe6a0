"""The PostgreSQL and RabbitMQ of the tests, and the mechanism by which `make run` starts its own.

Found in this order: addresses in the environment (`TEST_POSTGRES_DSN`, `TEST_RABBITMQ_URL`); Docker; private instances
from the machine's binaries. Where none of them is to be had, `ServerMissing` says so: nothing is skipped silently.
Everything started here ends with the process that started it, even when that one is killed -9.
"""

import contextlib
import os
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from testkit.servers import containers, machine, processes
from testkit.servers.processes import ServerFailed, ServerMissing

__all__ = ["PgServer", "RabbitServer", "ServerFailed", "ServerMissing", "postgres", "rabbitmq"]

_PREFIX = "taxi-tests-"


class _Startable(Protocol):
    """What tests may do to a server of their own. All of it blocks: from a coroutine, through `asyncio.to_thread`."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def is_alive(self) -> bool: ...


class PgServer(_Startable, Protocol):
    """A PostgreSQL of our own."""

    @property
    def port(self) -> int: ...
    @property
    def dsn(self) -> str: ...
    def database_dsn(self, database: str) -> str: ...


class RabbitServer(_Startable, Protocol):
    """A RabbitMQ of our own."""

    @property
    def port(self) -> int: ...
    @property
    def url(self) -> str: ...


def run_folder(owner: int) -> Path:
    """A new folder for the servers of one test run; folders of dead runs are removed on the way."""
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = old.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not processes.is_running(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{owner}-"))
    folder.chmod(0o711)  # the servers' users pass through
    return folder


def own_postgres(folder: Path, owner: int | None = None) -> PgServer:
    """A private PostgreSQL, not yet started; its data goes into `folder`. Raises ServerMissing."""
    if containers.is_available():
        return containers.Postgres()
    _require(machine.postgres_binaries(), "PostgreSQL", "postgresql", "TEST_POSTGRES_DSN")
    return machine.Postgres(folder, keeping=processes.Keeping(owner, [folder]))


def own_rabbitmq(folder: Path, owner: int | None = None) -> RabbitServer:
    """A private RabbitMQ node, not yet started; its queues go into `folder`. Raises ServerMissing."""
    if containers.is_available():
        return containers.RabbitMQ()
    _require(machine.rabbitmq_binaries(), "RabbitMQ", "rabbitmq-server", "TEST_RABBITMQ_URL")
    return machine.RabbitMQ(folder, keeping=processes.Keeping(owner, [folder]))


def _require(found: Path | None, name: str, package: str, variable: str) -> None:
    if found is None:
        raise ServerMissing(
            f"{name} is not to be had: set {variable}, start Docker, or install it (Debian: apt-get install {package})"
        )


@contextlib.contextmanager
def postgres(folder: Path | None = None) -> Iterator[str]:
    """The DSN of a superuser on the server that was found (`TEST_POSTGRES_DSN`, Docker, private)."""
    if address := os.environ.get("TEST_POSTGRES_DSN"):
        yield address
        return
    with _folder(folder) as place:
        server = own_postgres(place / "postgres")
        server.start()
        try:
            yield server.dsn
        finally:
            server.stop()


@contextlib.contextmanager
def rabbitmq(folder: Path | None = None) -> Iterator[str]:
    """The AMQP URL of the server that was found (`TEST_RABBITMQ_URL`, Docker, private)."""
    if address := os.environ.get("TEST_RABBITMQ_URL"):
        yield address
        return
    with _folder(folder) as place:
        server = own_rabbitmq(place / "rabbitmq")
        server.start()
        try:
            yield server.url
        finally:
            server.kill()  # nobody needs its queues; a polite end takes a second


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    place = given or run_folder(os.getpid())
    try:
        yield place
    finally:
        if given is None:
            shutil.rmtree(place, ignore_errors=True)


def database_dsn(dsn: str, database: str) -> str:
    """The same server and user, another database."""
    return urllib.parse.urlsplit(dsn)._replace(path=f"/{database}").geturl()
