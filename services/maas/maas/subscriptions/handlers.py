"""The partner's routes about subscriptions."""

from kit import web
from maas import config
from maas.context import PARTNER, Context
from maas.subscriptions import actions, model, schemas
from maas.tokens.model import UserTokenMismatch
from maas.users import model as users


@web.post(
    "/maas/v1/subscription/reserve",
    callers=PARTNER,
    body=schemas.SALE,
    answer=schemas.RESERVED,
    refusals=(
        users.MaasUserNotFound,
        UserTokenMismatch,
        model.ActiveSubscriptionExists,
        model.AntifraudRefused,
        model.BudgetExhausted,
        model.PassIdConflict,
        model.TariffMismatch,
    ),
)
async def reserve(ctx: Context, call: web.Call) -> model.Subscription:
    """Promises a subscription before its payment (MX-17, MA-45)."""
    antifraud = actions.RulesOfConfig(ctx.db, ctx.dynamic.get(config.ANTIFRAUD))
    return await actions.reserve(
        db=ctx.db,
        salt=ctx.config.token_salt,
        sale=call.args,
        terms=model.Terms(ctx.dynamic.get(config.TARIFFS), antifraud),
        ttl_s=ctx.dynamic.get(config.RESERVE_TTL_S),
    )


@web.post(
    "/maas/v1/subscription/extend",
    callers=PARTNER,
    body=schemas.PASS,
    answer=schemas.EXTENDED,
    refusals=(
        model.SubscriptionNotFound,
        model.ExtensionLimitReached,
        model.SubscriptionAlreadyActivated,
        model.SubscriptionCanceled,
        model.SubscriptionExpired,
    ),
)
async def extend(ctx: Context, call: web.Call) -> model.Subscription:
    """Keeps the reservation of a slow payment for longer; each call is one extension."""
    return await actions.extend(
        db=ctx.db,
        pass_id=call.args["pass_id"],
        ttl_s=ctx.dynamic.get(config.RESERVE_TTL_S),
        limit=ctx.dynamic.get(config.EXTENSIONS),
    )


@web.post(
    "/maas/v1/subscription/activate",
    callers=PARTNER,
    body=schemas.PASS,
    answer=schemas.ACTIVATED,
    refusals=(
        model.SubscriptionNotFound,
        model.SubscriptionCanceled,
        model.SubscriptionExpired,
        model.ActiveSubscriptionExists,
    ),
)
async def activate(ctx: Context, call: web.Call) -> model.Subscription:
    """Begins a paid subscription (MX-19, MA-48)."""
    return await actions.activate(db=ctx.db, queue=ctx.queue, pass_id=call.args["pass_id"])


@web.post(
    "/maas/v1/subscription/cancel",
    callers=PARTNER,
    body=schemas.CANCEL,
    answer=schemas.MOVED,
    refusals=(model.SubscriptionNotFound, model.SubscriptionAlreadyActivated, model.SubscriptionExpired),
)
async def cancel(ctx: Context, call: web.Call) -> model.Subscription:
    """Ends a reservation whose payment failed (MX-20, MA-51)."""
    return await actions.cancel(db=ctx.db, **call.args)


@web.get_or_post(
    "/maas/v1/subscription/info",
    callers=PARTNER,
    query=schemas.WHICH,
    body=schemas.WHICH,
    answer=schemas.INFO,
    refusals=(model.SubscriptionNotFound,),
)
async def info(ctx: Context, call: web.Call) -> model.Subscription:
    """A subscription with its rides left (MX-24, MA-97)."""
    if "pass_id" in call.args:
        return await actions.get(db=ctx.db, pass_id=call.args["pass_id"])
    return await actions.get_latest(db=ctx.db, maas_user_id=call.args["maas_user_id"])


@web.get(
    "/maas/v1/subscription/status",
    callers=PARTNER,
    query=schemas.PASS,
    answer=schemas.STATUS,
    refusals=(model.SubscriptionNotFound,),
)
async def status(ctx: Context, call: web.Call) -> model.Subscription:
    """The states of a subscription, for those who wait for one (MA-103)."""
    return await actions.get(db=ctx.db, pass_id=call.args["pass_id"])
