"""The figures, in the background."""

from kit import fields, stq
from maas import config
from maas.context import Context
from maas.figures import actions


@stq.task("maas.figures.count", kwargs=fields.Strict(), concurrency=1)
async def count(ctx: Context, claim: stq.Claim) -> None:
    """Counts the figures of the business, each minute. Idempotent: the last count replaces the one before."""
    await actions.count(db=ctx.db, goals=ctx.dynamic.get(config.GOALS))
