"""The partner's routes about tariffs."""

from typing import Any

from kit import web
from maas import config
from maas.context import PARTNER, Context
from maas.subscriptions.actions import RulesOfConfig
from maas.subscriptions.model import Terms
from maas.tariffs import actions, schemas
from maas.users.model import MaasUserNotFound


@web.post("/maas/v1/available-tariffs", callers=PARTNER, body=schemas.TARIFFS, answer=schemas.AVAILABLE)
async def available(ctx: Context, call: web.Call) -> dict[str, Any]:
    """Which tariffs may be sold, and how many of each (MX-11, MA-60)."""
    found = await actions.list_available(db=ctx.db, variants=ctx.dynamic.get(config.TARIFFS), **call.args)
    return {"tariffs": found}


@web.post(
    "/maas/v1/available-tariffs/user",
    callers=PARTNER,
    body=schemas.TARIFFS_OF_USER,
    answer=schemas.AVAILABLE,
    refusals=(MaasUserNotFound,),
)
async def available_to_user(ctx: Context, call: web.Call) -> dict[str, Any]:
    """The same with every check of `subscription/reserve` for this person (MX-12, MA-61)."""
    terms = Terms(ctx.dynamic.get(config.TARIFFS), RulesOfConfig(ctx.db, ctx.dynamic.get(config.ANTIFRAUD)))
    return {"tariffs": await actions.list_available_to(db=ctx.db, terms=terms, **call.args)}
