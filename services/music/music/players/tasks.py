"""What time does to players by themselves."""

from kit import fields, stq
from music import config
from music.context import Context
from music.players import actions


@stq.task("music.players.lose", kwargs=fields.Strict(), concurrency=1)
async def lose(ctx: Context, claim: stq.Claim) -> None:
    """Notes which taximeters are not heard of. Idempotent: what is lost is not lost again."""
    await actions.lose(db=ctx.db, after_s=ctx.dynamic.get(config.PLAYERS)["lost_after_s"])


@stq.task("music.players.count", kwargs=fields.Strict(), concurrency=1)
async def count(ctx: Context, claim: stq.Claim) -> None:
    """Has every process count the active players. Idempotent: each count replaces the one before."""
    await actions.recount(db=ctx.db)


@stq.task("music.players.purge", kwargs=fields.Strict(), time_limit_s=300, concurrency=1)
async def purge(ctx: Context, claim: stq.Claim) -> None:
    """Forgets players long closed, with their commands. Idempotent: what is forgotten is not found again."""
    await actions.purge(db=ctx.db, days=ctx.dynamic.get(config.PLAYERS)["keep_days"])
