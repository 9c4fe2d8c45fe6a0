"""The passenger's view of the subscription; looking binds (MA-63)."""

from kit import web
from maas.binding import actions, schemas
from maas.context import PASSENGER, Context
from maas.subscriptions import model


@web.get(
    "/4.0/maas/v1/subscription/info",
    callers=PASSENGER,
    answer=schemas.PASSENGER_SUBSCRIPTION,
    refusals=(model.SubscriptionNotFound,),
)
async def info(ctx: Context, call: web.Call) -> model.Subscription:
    """The passenger's subscription with rides left and, once issued, the promo code (MA-78, MA-96)."""
    return await actions.get_subscription(
        db=ctx.db, queue=ctx.queue, zalogin=ctx.zalogin, passenger=call.the_passenger()
    )
