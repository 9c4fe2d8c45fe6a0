"""What time does to purchase tokens."""

from kit import fields, stq
from maas import config
from maas.context import Context
from maas.tokens import actions


@stq.task("maas.tokens.purge", kwargs=fields.Strict(), time_limit_s=300, concurrency=1)
async def purge(ctx: Context, claim: stq.Claim) -> None:
    """Forgets tokens long expired. Idempotent: what is forgotten is not found again."""
    await actions.purge(db=ctx.db, days=ctx.dynamic.get(config.RETENTION_DAYS)["purchase_tokens"])
