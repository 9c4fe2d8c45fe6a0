"""Routes for coupons and order processing."""

from kit import caches, web
from maas import config
from maas.context import Context
from maas.metro import actions as metro
from maas.rides import actions, model, schemas

COUPONS = ("coupons",)
PROCESSING = ("processing",)


@web.post(
    "/maas/v1/check-promocode",
    callers=COUPONS,
    body=schemas.CHECK,
    answer=schemas.VERDICT,
    refusals=(caches.NotLoaded,),
)
async def check_promocode(ctx: Context, call: web.Call) -> web.Ready:
    """Whether a code of ours pays for a ride, at the offer and at its end (MA-90..92)."""
    verdict = await actions.check(db=ctx.db, asked=call.args, rules=_rules(ctx))
    return web.Ready(schemas.told(verdict, call.say))


@web.post(
    "/maas/v1/rides/hold",
    callers=PROCESSING,
    body=schemas.HOLD,
    answer=schemas.LEDGER_ENTRY,
    refusals=(*model.RULES, model.RideReleased, model.OrderConflict, caches.NotLoaded),
)
async def hold(ctx: Context, call: web.Call) -> model.LedgerEntry:
    """Takes one ride of the subscription for an order (MX-14)."""
    return await actions.hold(db=ctx.db, order_id=call.args.order_id, asked=call.args, rules=_rules(ctx))


@web.post(
    "/maas/v1/rides/complete",
    callers=PROCESSING,
    body=schemas.COMPLETE,
    answer=schemas.LEDGER_ENTRY,
    refusals=(model.RideNotFound, caches.NotLoaded),
)
async def complete(ctx: Context, call: web.Call) -> model.LedgerEntry:
    """Spends a held ride, or gives it back with the reason (MA-104)."""
    return await actions.complete(db=ctx.db, queue=ctx.queue, ended=call.args, rules=_rules(ctx))


@web.post(
    "/maas/v1/rides/release",
    callers=PROCESSING,
    body=schemas.ORDER,
    answer=schemas.LEDGER_ENTRY,
    refusals=(model.RideNotFound,),
)
async def release(ctx: Context, call: web.Call) -> model.LedgerEntry:
    """Gives back the ride of an order that came to nothing."""
    return await actions.release(db=ctx.db, order_id=call.args["order_id"])


def _rules(ctx: Context) -> model.Rules:
    return model.Rules(ctx.caches.get(metro.STATIONS), ctx.dynamic.get(config.GEO))
