"""The route by which coupons hides our codes."""

from typing import Any

from kit import web
from maas.context import Context
from maas.promocodes import actions, schemas

COUPONS = ("coupons",)


@web.post("/maas/v1/promocodes/filter", callers=COUPONS, body=schemas.PROMOCODES, answer=schemas.OURS)
async def choose_ours(ctx: Context, call: web.Call) -> dict[str, Any]:
    """Which of these codes are subscriptions', so that they are shown nowhere else (MA-98)."""
    return {"ours": await actions.list_ours(db=ctx.db, promocodes=call.args["promocodes"])}
