"""The partner's routes about people."""

from kit import web
from maas import config
from maas.context import PARTNER, Context
from maas.users import actions, model, schemas


@web.post(
    "/maas/v1/users/create",
    aliases=("/maas/v1/user/create", "/maas/v1/user/register"),
    callers=PARTNER,
    body=schemas.NEW_USER,
    answer=schemas.USER,
    refusals=(model.PhoneInvalid, model.PhoneAlreadyBound, model.MaasUserAlreadyBound),
)
async def create(ctx: Context, call: web.Call) -> model.User:
    """Registers the person whom VTB created, by phone (MX-16, MA-33)."""
    return await actions.create(db=ctx.db, queue=ctx.queue, personal=ctx.personal, **call.args)


@web.post(
    "/maas/v1/user/update",
    aliases=("/maas/v1/users/update",),
    callers=PARTNER,
    body=schemas.NEW_USER,
    answer=schemas.USER,
    refusals=(
        model.PhoneChangeNotSupported,
        model.PhoneInvalid,
        model.MaasUserNotFound,
        model.PhoneAlreadyBound,
    ),
)
async def update(ctx: Context, call: web.Call) -> model.User:
    """Gives a registered person another phone, where the config allows it (MA-23, MA-25, MA-103)."""
    is_allowed = ctx.dynamic.get(config.PHONE_CHANGE_ALLOWED)
    return await actions.update(db=ctx.db, queue=ctx.queue, personal=ctx.personal, is_allowed=is_allowed, **call.args)
