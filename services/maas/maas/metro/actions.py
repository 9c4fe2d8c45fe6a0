"""The station catalogue, and the rides on the metro."""

from collections.abc import Sequence

from clients import masstransit as masstransit_client
from kit import caches, logs, metrics, pg
from maas.metro import model, queries

_FEWEST = 0.8
_RIDES = metrics.counter("maas_metro_rides_total", "Rides on the metro that the bank told of", ("outcome",))


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


async def report_rides(*, db: pg.Executor, rides: Sequence[model.MetroRide]) -> model.Reported:
    """Keeps what the bank tells of rides on the metro (MX-04); the same report again changes nothing."""
    reported = await queries.insert_rides(db, rides)
    _RIDES.labels("new").inc(reported.new)
    _RIDES.labels("known").inc(reported.known - reported.differing)
    if reported.differing:
        _RIDES.labels("differing").inc(reported.differing)
        logs.warning("metro_rides_told_differently", count=reported.differing)
    return reported


async def purge_rides(*, db: pg.Database, days: int) -> int:
    """Forgets rides that were reported more than `days` ago; how many."""
    return await pg.in_batches(lambda limit: queries.delete_rides(db, days=days, limit=limit))
