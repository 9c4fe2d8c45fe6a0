"""Pushes, and what time does to commands."""

from kit import fields, stq
from music.commands import actions, schemas
from music.context import Context


@stq.task("music.command.push", kwargs=schemas.PUSH, time_limit_s=10, concurrency=32, backoff_s=(0.5, 5.0))
async def push(ctx: Context, claim: stq.Claim) -> None:
    """Pushes a command and orders the next look at it, until it is settled (M-22, M-23).

    Idempotent: the push has its own token, and the next look is enqueued once, in the transaction that ends this one.
    """
    player_id, seq, attempt = claim.kwargs["player_id"], claim.kwargs["seq"], claim.kwargs["attempt"]
    delay_s = await actions.push(
        db=ctx.db, communications=ctx.communications, player_id=player_id, seq=seq, attempt=attempt
    )
    if delay_s is not None:
        async with ctx.db.transaction() as tx:
            await claim.finish(tx)
            await actions.order_push(ctx.queue, tx, player_id=player_id, seq=seq, attempt=attempt + 1, delay_s=delay_s)


@stq.task("music.commands.expire", kwargs=fields.Strict(), time_limit_s=30, concurrency=1)
async def expire(ctx: Context, claim: stq.Claim) -> None:
    """Ends commands that were not done in time. Idempotent: what has ended is not found again."""
    await actions.expire(db=ctx.db)
