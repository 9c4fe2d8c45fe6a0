"""maas-authproxy in a test: its routes on a port, its database, maas mocked on the wire."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kit import config, pg
from maas_authproxy import app
from testkit import neighbours as mocks
from testkit import service
from testkit.waiting import until

from . import makers


@dataclass
class Edge:
    """A started maas-authproxy as partners see it; `key` opens everything."""

    live: service.Live
    maas: mocks.Neighbour
    partners: makers.Partners
    key: str

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = "", **more: Any
    ) -> service.Answer:
        """One request; `key=None` sends none."""
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers["X-API-Key"] = key or self.key
        return await self.live.ask(None, method, path, body, headers=headers, **more)

    async def reload(self) -> None:
        """Has the service look at its config now."""
        await self.live.context.dynamic.refresh()

    async def trail(self, count: int) -> list[dict[str, Any]]:
        """The entries of the trail, once there are `count` of them."""
        db: pg.Database = self.live.context.db

        async def entries() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = await db.all(dict, "SELECT * FROM audit.requests ORDER BY at")
            assert len(found) >= count, found
            return found

        return await until(entries)


Starts = Callable[..., contextlib.AbstractAsyncContextManager[Edge]]


@pytest.fixture
def partners(tmp_path: Path) -> makers.Partners:
    """The config of this test."""
    return makers.Partners(tmp_path / "dynamic.yaml")


@pytest.fixture
def start(neighbours: mocks.Neighbours, partners: makers.Partners, tmp_path: Path) -> Starts:
    """Starts the service on a database: `async with start(dsn) as edge`."""

    @contextlib.asynccontextmanager
    async def started(dsn: str, **settings: Any) -> AsyncIterator[Edge]:
        key = partners.add("vtb")
        secret = config.Secret(makers.SECRET)
        async with service.started(
            app.SERVICE,
            dsn=dsn,
            dynamic=partners.file,
            folder=tmp_path,
            neighbours=neighbours,
            names=() if "maas_url" in settings else ("maas",),
            key_secret=secret,
            **settings,
        ) as live:
            yield Edge(live, neighbours["maas"], partners, key)

    return started


@pytest.fixture
async def edge(start: Starts, make_database: Callable[..., Any]) -> AsyncIterator[Edge]:
    """A started maas-authproxy with a partner `vtb`."""
    async with make_database(app.SERVICE.streams) as dsn, start(dsn) as started:
        yield started
