"""What time does to subscriptions."""

from kit import fields, stq
from maas import config
from maas.context import Context
from maas.subscriptions import actions


@stq.task("maas.subscriptions.settle", kwargs=fields.Strict(), time_limit_s=60, concurrency=1)
async def settle(ctx: Context, claim: stq.Claim) -> None:
    """Expires and cancels what is overdue (MA-40). Idempotent: what has moved is overdue no more."""
    await actions.settle_overdue(db=ctx.db)


@stq.task("maas.subscriptions.purge", kwargs=fields.Strict(), time_limit_s=300, concurrency=1)
async def purge(ctx: Context, claim: stq.Claim) -> None:
    """Forgets subscriptions long over, with their rides. Idempotent: what is forgotten is not found again."""
    await actions.purge(db=ctx.db, days=ctx.dynamic.get(config.RETENTION_DAYS)["subscriptions"])
