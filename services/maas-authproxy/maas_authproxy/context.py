"""What a live process of maas-authproxy holds."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from clients import maas
from kit import caches, dynconf, parts, pg, stq
from maas_authproxy import config


class Trail(Protocol):
    """Where an entry of the audit is left, at no cost to the request."""

    def __len__(self) -> int: ...

    def note(self, entry: Any) -> None:
        """Takes an entry of `audit.model`."""


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, storage, queue, the audit's trail and maas."""

    config: config.Config
    dynamic: dynconf.Configs
    db: pg.Database
    queue: stq.Queue
    caches: caches.Caches
    trail: Trail
    maas: maas.Maas


@contextlib.asynccontextmanager
async def opened(
    settings: config.Config, *, trail: Callable[[pg.Database], AbstractAsyncContextManager[Trail]]
) -> AsyncIterator[Context]:
    """The context of a process with these settings; leaving it writes what the trail still holds."""
    async with parts.opened("maas-authproxy", settings, config.VALUES) as common, trail(common.db) as requests:
        yield Context(
            config=settings,
            dynamic=common.dynamic,
            db=common.db,
            queue=common.queue,
            caches=common.caches,
            trail=requests,
            maas=await common.neighbour(maas.Maas, settings.maas_url),
        )
