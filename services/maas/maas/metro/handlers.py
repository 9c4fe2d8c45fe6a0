"""The nearest stations, for the partner and for the passenger alike (MA-101), and the partner's rides on the metro."""

from typing import Any

from kit import caches, web
from maas import config
from maas.binding import actions as binding
from maas.binding import schemas as binding_schemas
from maas.context import PARTNER, PASSENGER, Context
from maas.metro import actions, model, schemas
from maas.subscriptions.model import SubscriptionNotFound


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
    return web.Ready(_nearest(ctx, call))


@web.post(
    "/4.0/maas/v1/nearest-metro",
    callers=PASSENGER,
    body=schemas.PASSENGER_WHERE,
    answer=schemas.PASSENGER_NEAREST,
    refusals=(caches.NotLoaded,),
)
async def nearest_for_passenger(ctx: Context, call: web.Call) -> web.Ready:
    """Stations that a ride from A may end at, nearest first, with the subscription when asked for (MA-84, MA-100)."""
    answer = _nearest(ctx, call)
    if "pass_id" in call.args:
        answer["subscription"] = await _subscription(ctx, call)
    return web.Ready(answer)


@web.post("/maas/v1/rides/metro", callers=PARTNER, body=schemas.RIDES, answer=schemas.REPORTED)
async def report_rides(ctx: Context, call: web.Call) -> model.Reported:
    """Takes what the bank tells of rides on the metro (MX-04)."""
    return await actions.report_rides(db=ctx.db, rides=call.args["rides"])


def _nearest(ctx: Context, call: web.Call) -> dict[str, Any]:
    rules = ctx.dynamic.get(config.GEO)
    where = call.args
    found = ctx.caches.get(actions.STATIONS).nearest(
        where["point_a"],
        where["point_b"],
        radius_m=min(where["radius_m"] or rules["zone_m"], rules["zone_m"]),
        limit=min(where["limit"] or rules["max_stations"], rules["max_stations"]),
    )
    return schemas.answer(found)


async def _subscription(ctx: Context, call: web.Call) -> Any:
    try:
        found = await binding.get_subscription(
            db=ctx.db,
            queue=ctx.queue,
            zalogin=ctx.zalogin,
            matching=ctx.dynamic.get(config.MATCHING),
            passenger=call.the_passenger(),
            pass_id=call.args["pass_id"],
        )
    except SubscriptionNotFound:
        return None
    return binding_schemas.PASSENGER_SUBSCRIPTION.dump(found)
