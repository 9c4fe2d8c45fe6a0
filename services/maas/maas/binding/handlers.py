"""Where a passenger is seen, and is bound by being seen (MA-63)."""

from typing import Any

from kit import identity, web
from maas import config
from maas.binding import actions, model, schemas
from maas.context import PASSENGER, PRODUCTS, Context
from maas.subscriptions import model as subscriptions
from maas.users import model as users


@web.get(
    "/4.0/maas/v1/subscription/info",
    callers=PASSENGER,
    answer=schemas.PASSENGER_SUBSCRIPTION,
    refusals=(subscriptions.SubscriptionNotFound,),
)
async def info(ctx: Context, call: web.Call) -> subscriptions.Subscription:
    """The passenger's subscription with rides left and, once issued, the promo code (MA-78, MA-96)."""
    return await actions.get_subscription(**_found_by(ctx, call.the_passenger()))


@web.post(
    "/maas/v1/shortcut",
    callers=PRODUCTS,
    body=schemas.PASSENGER,
    answer=schemas.SHORTCUT,
)
async def shortcut(ctx: Context, call: web.Call) -> dict[str, Any]:
    """The button of a live subscription among the passenger's products, else null (MA-63, MA-79)."""
    live = await actions.find_live(**_found_by(ctx, call.args["passenger"]))
    return {"shortcut": live and model.shortcut_of(live, call.args["language"] or call.language)}


@web.post(
    "/4.0/maas/v1/user/register",
    callers=PASSENGER,
    body=web.NOTHING,
    answer=schemas.REGISTERED,
    refusals=(model.PhoneRequired, model.PhoneNotTaken, users.PhoneAlreadyBound, users.MaasUserAlreadyBound),
)
async def register(ctx: Context, call: web.Call) -> users.User:
    """Makes the passenger a person of the metro; takes no body, or an empty object (MA-31, MA-32)."""
    return await actions.register(personal=ctx.personal, vtb=ctx.vtb, **_found_by(ctx, call.the_passenger()))


def _found_by(ctx: Context, passenger: identity.Passenger) -> dict[str, Any]:
    return {
        "db": ctx.db,
        "queue": ctx.queue,
        "zalogin": ctx.zalogin,
        "matching": ctx.dynamic.get(config.MATCHING),
        "passenger": passenger,
    }
