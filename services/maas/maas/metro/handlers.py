"""The nearest stations, for the partner and for the passenger: the same answer to both (MA-101)."""

from kit import caches, web
from maas import config
from maas.context import PARTNER, PASSENGER, Context
from maas.metro import actions, schemas


@web.get_or_post(
    "/maas/v1/nearest-metro",
    callers=PARTNER,
    query=schemas.WHERE_IN_QUERY,
    body=schemas.WHERE,
    answer=schemas.NEAREST,
    refusals=(caches.NotLoaded,),
)
async def nearest_for_partner(ctx: Context, call: web.Call) -> web.Ready:
    """Stations that a ride from A may end at, nearest first (MX-26, MA-101)."""
    return _nearest(ctx, call)


@web.post(
    "/4.0/maas/v1/nearest-metro",
    callers=PASSENGER,
    body=schemas.WHERE,
    answer=schemas.NEAREST,
    refusals=(caches.NotLoaded,),
)
async def nearest_for_passenger(ctx: Context, call: web.Call) -> web.Ready:
    """Stations that a ride from A may end at, nearest first (MA-84)."""
    return _nearest(ctx, call)


def _nearest(ctx: Context, call: web.Call) -> web.Ready:
    rules = ctx.dynamic.get(config.GEO)
    where = call.args
    found = ctx.caches.get(actions.STATIONS).nearest(
        where["point_a"],
        where["point_b"],
        radius_m=min(where["radius_m"] or rules["zone_m"], rules["zone_m"]),
        limit=min(where["limit"] or rules["max_stations"], rules["max_stations"]),
    )
    return web.Ready(schemas.answer(found))
