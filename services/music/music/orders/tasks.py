"""What processing says, and what time does to players with everything that hangs on them."""

from kit import fields, stq
from music import config
from music.context import Context
from music.orders import actions, schemas

_A_DAY_S = 86_400


@stq.task(
    "music.order.driver_assigned",
    kwargs=schemas.ASSIGNMENT_MESSAGE,
    max_attempts=None,
    max_age_s=_A_DAY_S,
    backoff_s=(0.5, 60.0),
)
async def driver_assigned(ctx: Context, claim: stq.Claim) -> None:
    """Opens the player of a driver (M-36). Idempotent: an event of an order is carried out once, late ones never."""
    availability = actions.Availability(ctx.dynamic, ctx.plus)
    await actions.assign(db=ctx.db, queue=ctx.queue, availability=availability, assignment=claim.kwargs)


@stq.task("music.order.finished", kwargs=schemas.FINISH, max_attempts=None, max_age_s=_A_DAY_S, backoff_s=(0.5, 60.0))
async def finished(ctx: Context, claim: stq.Claim) -> None:
    """Closes the player of an order (M-37). Idempotent: an event of an order is carried out once."""
    await actions.finish(db=ctx.db, queue=ctx.queue, finish=claim.kwargs)


@stq.task("music.players.close_idle", kwargs=fields.Strict(), time_limit_s=60, concurrency=1)
async def close_idle(ctx: Context, claim: stq.Claim) -> None:
    """Closes players that nobody touches. Idempotent: what is closed is idle no more."""
    await actions.close_idle(db=ctx.db, queue=ctx.queue, after_s=ctx.dynamic.get(config.PLAYERS)["idle_after_s"])


@stq.task("music.orders.purge", kwargs=fields.Strict(), time_limit_s=300, concurrency=1)
async def purge(ctx: Context, claim: stq.Claim) -> None:
    """Forgets orders long over. Idempotent: what is forgotten is not found again."""
    await actions.purge(db=ctx.db, days=ctx.dynamic.get(config.PLAYERS)["keep_days"])
