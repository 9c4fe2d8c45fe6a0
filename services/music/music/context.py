"""What a live process of music holds."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from clients import communications, music_backend, plus
from kit import caches, dynconf, parts, pg, stq
from music import config

PASSENGER = ("passenger-authorizer",)
TAXIMETER = ("driver-authproxy",)
PROCESSING = ("processing",)
TOTW = ("totw",)
SUPPORT = ("support",)


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, storage, queue and neighbours."""

    config: config.Config
    dynamic: dynconf.Configs
    db: pg.Database
    queue: stq.Queue
    caches: caches.Caches
    plus: plus.Plus
    music_backend: music_backend.MusicBackend
    communications: communications.Communications


@contextlib.asynccontextmanager
async def opened(settings: config.Config) -> AsyncIterator[Context]:
    """The context of a process with these settings."""
    async with parts.opened("music", settings, config.VALUES, config.EXPERIMENTS) as common:
        yield Context(
            config=settings,
            dynamic=common.dynamic,
            db=common.db,
            queue=common.queue,
            caches=common.caches,
            plus=await common.neighbour(plus.Plus, settings.plus_url),
            music_backend=await common.neighbour(music_backend.MusicBackend, settings.music_backend_url),
            communications=await common.neighbour(communications.Communications, settings.communications_url),
        )
