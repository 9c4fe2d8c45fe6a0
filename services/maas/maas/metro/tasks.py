"""The metro, in the background."""

from kit import fields, stq
from maas import config
from maas.context import Context
from maas.metro import actions


@stq.task("maas.metro.refresh", kwargs=fields.Strict(), time_limit_s=30, concurrency=1, max_attempts=5)
async def refresh(ctx: Context, claim: stq.Claim) -> None:
    """Brings the catalogue up to date. Idempotent: the same version is not stored again."""
    await actions.refresh(db=ctx.db, masstransit=ctx.masstransit)


@stq.task("maas.metro.purge", kwargs=fields.Strict(), time_limit_s=300, concurrency=1)
async def purge(ctx: Context, claim: stq.Claim) -> None:
    """Forgets old rides on the metro. Idempotent: what is forgotten is not found again."""
    await actions.purge_rides(db=ctx.db, days=ctx.dynamic.get(config.RETENTION_DAYS)["metro_rides"])
