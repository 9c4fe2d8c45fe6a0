"""Binding, in the background."""

from kit import stq
from maas import config
from maas.binding import actions, schemas
from maas.context import Context


@stq.task("maas.user.match", kwargs=schemas.MATCH, max_attempts=20, backoff_s=(1.0, 600.0))
async def match(ctx: Context, claim: stq.Claim) -> None:
    """Looks for the account of a registered person (MA-36..39). Idempotent: the same account is bound again."""
    await actions.match(
        db=ctx.db,
        queue=ctx.queue,
        user_api=ctx.user_api,
        zalogin=ctx.zalogin,
        matching=ctx.dynamic.get(config.MATCHING),
        **claim.kwargs,
    )
