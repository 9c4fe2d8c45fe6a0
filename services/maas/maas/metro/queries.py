"""SQL of `metro.catalogue` and `subscriptions.metro_rides`."""

from collections.abc import Sequence
from typing import Any

from kit import pg
from maas.metro import model

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


# Inserted in the order of their ids, so that two reports of the same rides wait for each other and never in a circle.
INSERT_RIDES = """
WITH told AS (
    SELECT * FROM unnest(%(ride_ids)s::text[], %(maas_user_ids)s::text[], %(pass_ids)s::text[], %(stations)s::text[],
                         %(moments)s::timestamptz[])
        WITH ORDINALITY AS t (ride_id, maas_user_id, pass_id, station, ridden_at, place)
), firsts AS (
    SELECT DISTINCT ON (ride_id) * FROM told ORDER BY ride_id, place
), fresh AS (
    INSERT INTO subscriptions.metro_rides (ride_id, maas_user_id, pass_id, station, ridden_at)
    SELECT ride_id, maas_user_id, pass_id, station, ridden_at FROM firsts ORDER BY ride_id
    ON CONFLICT (ride_id) DO NOTHING RETURNING ride_id
)
SELECT (SELECT count(*) FROM fresh) AS new, (SELECT count(*) FROM told) - (SELECT count(*) FROM fresh) AS known,
    (SELECT count(*) FROM told t JOIN firsts f USING (ride_id) LEFT JOIN subscriptions.metro_rides k USING (ride_id)
     WHERE (t.maas_user_id, t.pass_id, t.station, t.ridden_at) <>
           (coalesce(k.maas_user_id, f.maas_user_id), coalesce(k.pass_id, f.pass_id),
            coalesce(k.station, f.station), coalesce(k.ridden_at, f.ridden_at))) AS differing
"""


async def insert_rides(db: pg.Executor, rides: Sequence[model.MetroRide]) -> model.Reported:
    """Keeps the rides that are new; a known one, also of the same report, stays as it was first told."""
    return await db.one(
        model.Reported,
        INSERT_RIDES,
        ride_ids=[ride.ride_id for ride in rides],
        maas_user_ids=[ride.maas_user_id for ride in rides],
        pass_ids=[ride.pass_id for ride in rides],
        stations=[ride.station for ride in rides],
        moments=[ride.at for ride in rides],
    )


DELETE_RIDES = """
DELETE FROM subscriptions.metro_rides WHERE ride_id IN (
    SELECT ride_id FROM subscriptions.metro_rides WHERE reported_at < now() - make_interval(days => %(days)s)
    LIMIT %(limit)s)
"""


async def delete_rides(db: pg.Executor, *, days: int, limit: int) -> int:
    """Forgets rides that were reported more than `days` ago; how many."""
    return await db.run(DELETE_RIDES, days=days, limit=limit)
