"""The app's way to a subscription."""

from kit import web
from maas import config
from maas.binding import actions as binding
from maas.context import PASSENGER, Context
from maas.showcase import actions, model, schemas
from maas.subscriptions.model import ActiveSubscriptionExists
from maas.users.model import User


@web.get(
    "/4.0/maas/v1/product-info",
    callers=PASSENGER,
    answer=schemas.PRODUCT,
    refusals=(model.MaasUserNotFound,),
)
async def product_info(ctx: Context, call: web.Call) -> model.Product:
    """The tariffs for this person with all that the screen says; 401 sends to the registration (MA-54, MA-55)."""
    return await actions.product(
        db=ctx.db,
        vtb=ctx.vtb,
        user=await _person(ctx, call),
        variants=ctx.dynamic.get(config.TARIFFS),
        described=ctx.dynamic.get(config.PRODUCT),
        language=call.language,
    )


@web.post(
    "/4.0/maas/v1/purchase/start",
    callers=PASSENGER,
    body=schemas.START,
    answer=schemas.PURCHASE,
    refusals=(model.MaasUserNotFound, model.TariffNotFound, ActiveSubscriptionExists),
)
async def start(ctx: Context, call: web.Call) -> model.Purchase:
    """The bank's page with a token for one purchase of this tariff (MA-57, MA-58)."""
    return await actions.start(
        db=ctx.db,
        salt=ctx.config.token_salt,
        user=await _person(ctx, call),
        yandex_uid=call.the_passenger().yandex_uid,
        variants=ctx.dynamic.get(config.TARIFFS),
        terms=ctx.dynamic.get(config.PURCHASE),
        **call.args,
    )


async def _person(ctx: Context, call: web.Call) -> User | None:
    return await binding.get_person(
        db=ctx.db,
        queue=ctx.queue,
        zalogin=ctx.zalogin,
        matching=ctx.dynamic.get(config.MATCHING),
        passenger=call.the_passenger(),
    )
