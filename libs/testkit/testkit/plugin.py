"""Fixtures for real servers: PostgreSQL and RabbitMQ shared by the run, or one of your own to stop and kill.

`postgres_server` and `rabbitmq_url` are started once per run (also with pytest-xdist) and only when a test asks.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit import texts
from testkit import servers
from testkit.neighbours import neighbours
from testkit.servers import containers, shared
from testkit.waiting import until

if TYPE_CHECKING:
    from kit import migrate
    from testkit import databases

__all__ = ["neighbours", "until"]


@dataclass(frozen=True)
class Run:
    """What the processes of one test run share: a folder, and the pid of the first of them."""

    folder: Path
    owner: int

    @property
    def name(self) -> str:
        return self.folder.name.removeprefix("taxi-tests-").replace("-", "_")


_RUN = pytest.StashKey[Run]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    texts.be_strict()
    given = getattr(config, "workerinput", {}).get("testkit_run")
    if given:
        config.stash[_RUN] = Run(Path(given[0]), given[1])
    else:
        config.stash[_RUN] = Run(servers.run_folder(os.getpid()), os.getpid())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    run = node.config.stash[_RUN]
    node.workerinput["testkit_run"] = (str(run.folder), run.owner)


def pytest_unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(_RUN, None)
    if run is not None and run.owner == os.getpid():
        with contextlib.suppress(servers.ServerFailed):
            _drop_templates(run)
        shared.end(run.folder)


def _drop_templates(run: Run) -> None:
    address = os.environ.get("TEST_POSTGRES_DSN")
    if address and any(run.folder.glob("template_*.done")):
        from testkit import databases

        databases.Databases(address, run.folder, run.name).drop_templates()


@dataclass(frozen=True)
class PostgresServer:
    """A server of the run: a DSN of its superuser."""

    dsn: str

    def database_dsn(self, database: str) -> str:
        return servers.database_dsn(self.dsn, database)


@pytest.fixture(scope="session")
def testkit_run(request: pytest.FixtureRequest) -> Run:
    """The folder that the processes of this test run share."""
    return request.config.stash[_RUN]


@pytest.fixture(scope="session")
def postgres_server(testkit_run: Run) -> Iterator[PostgresServer]:
    """The run's PostgreSQL; tests make their own databases on it (`make_database`)."""
    if "TEST_POSTGRES_DSN" not in os.environ and not containers.is_available():
        yield PostgresServer(shared.postgres(testkit_run.folder, testkit_run.owner))
        return
    with servers.postgres() as dsn:
        yield PostgresServer(dsn)


@pytest.fixture(scope="session")
def rabbitmq_url(testkit_run: Run) -> Iterator[str]:
    """The run's RabbitMQ; tests use names of their own in it."""
    if "TEST_RABBITMQ_URL" not in os.environ and not containers.is_available():
        yield shared.rabbitmq(testkit_run.folder, testkit_run.owner)
        return
    with servers.rabbitmq() as url:
        yield url


@pytest.fixture
def own_postgres() -> Iterator[servers.PgServer]:
    """A PostgreSQL of this test alone, running; the test may stop, kill and start it (blocking calls)."""
    folder = servers.run_folder(os.getpid())
    server = servers.own_postgres(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def own_rabbitmq() -> Iterator[servers.RabbitServer]:
    """A RabbitMQ of this module alone; a test that stopped it starts it again (blocking calls, about 5 s)."""
    folder = servers.run_folder(os.getpid())
    server = servers.own_rabbitmq(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def testkit_databases(postgres_server: PostgresServer, testkit_run: Run) -> "databases.Databases":
    """The templates of the run."""
    from testkit import databases

    return databases.Databases(postgres_server.dsn, testkit_run.folder, testkit_run.name)


@pytest.fixture
def make_database(
    testkit_databases: "databases.Databases", postgres_server: PostgresServer
) -> Callable[[Sequence["migrate.Stream"]], "databases.Clone"]:
    """`async with make_database([Stream(…), …]) as dsn:` (or `with`): a fresh migrated database, dropped at the end."""
    from testkit import databases

    return lambda streams: databases.Clone(testkit_databases, postgres_server.dsn, streams)
