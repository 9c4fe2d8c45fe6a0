"""SQL of `metro.catalogue`."""

from collections.abc import Sequence
from typing import Any

from kit import pg

FIND_STATIONS = "SELECT stations FROM metro.catalogue"


async def find_stations(db: pg.Executor) -> list[dict[str, Any]] | None:
    """The stored stations; None before the first catalogue."""
    return await db.maybe(pg.value, FIND_STATIONS)


FIND_VERSION = "SELECT version FROM metro.catalogue"


async def find_version(db: pg.Executor) -> str | None:
    """The version of the stored catalogue."""
    return await db.maybe(pg.value, FIND_VERSION)


REPLACE = """
INSERT INTO metro.catalogue (version, stations) VALUES (%(version)s, %(stations)s)
ON CONFLICT (is_current) DO UPDATE
SET version = excluded.version, stations = excluded.stations, refreshed_at = now()
"""


async def replace(tx: pg.Transaction, version: str, stations: Sequence[dict[str, Any]]) -> None:
    """Makes this the catalogue and tells every process."""
    await tx.run(REPLACE, version=version, stations=pg.Json(list(stations)))
    await tx.run("SELECT pg_notify('metro_stations', %(version)s)", version=version)
