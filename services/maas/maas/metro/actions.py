"""The station catalogue."""

from clients import masstransit as masstransit_client
from kit import caches, pg
from maas.metro import model, queries

_FEWEST = 0.8


async def load(db: pg.Executor) -> model.Stations | None:
    """The index of the stored catalogue; None before the first one."""
    rows = await queries.find_stations(db)
    return None if rows is None else model.Stations.from_rows(rows)


STATIONS = caches.Cache("stations", channel="metro_stations", load=load)


async def refresh(*, db: pg.Database, masstransit: masstransit_client.Masstransit) -> bool:
    """Brings the catalogue up to date; False when it was.

    CatalogueImplausible when a fifth of the stations is gone: the last good copy stays in force.
    """
    known = await queries.find_version(db)
    fresh = await masstransit.metro_stops(known_version=known)
    if fresh is None:
        return False
    rows = [_row(stop) for stop in fresh.stops]
    before = await queries.find_stations(db) or []
    if len(rows) < max(1, _FEWEST * len(before)):
        raise model.CatalogueImplausible(stations=len(rows), before=len(before))
    async with db.transaction() as tx:
        await queries.replace(tx, fresh.version, rows)
    return True


def _row(stop: masstransit_client.Stop) -> dict[str, object]:
    return {
        "station_id": stop.stop_id,
        "name": stop.name,
        "line": {"name": stop.line_name, "color": stop.line_color},
        "point": {"lat": stop.point.lat, "lon": stop.point.lon},
    }
