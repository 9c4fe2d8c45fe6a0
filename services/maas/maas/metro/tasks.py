"""The station catalogue, in the background."""

from kit import fields, stq
from maas.context import Context
from maas.metro import actions


@stq.task("maas.metro.refresh", kwargs=fields.Strict(), time_limit_s=30, concurrency=1, max_attempts=5)
async def refresh(ctx: Context, claim: stq.Claim) -> None:
    """Brings the catalogue up to date. Idempotent: the same version is not stored again."""
    await actions.refresh(db=ctx.db, masstransit=ctx.masstransit)
