"""Routes for order processing: what its messages do, for when it prefers HTTP."""

from kit import web
from music.context import PROCESSING, Context
from music.orders import actions, model, schemas


@web.post("/internal/music/v1/player/create", callers=PROCESSING, body=schemas.ASSIGNMENT, answer=schemas.OUTCOME)
async def create(ctx: Context, call: web.Call) -> model.Outcome:
    """A driver was assigned: opens the player when music is available (M-36)."""
    availability = actions.Availability(ctx.dynamic, ctx.plus)
    return await actions.assign(db=ctx.db, queue=ctx.queue, availability=availability, assignment=call.args)


@web.post("/internal/music/v1/player/close", callers=PROCESSING, body=schemas.FINISH, answer=schemas.DONE)
async def close(ctx: Context, call: web.Call) -> dict[str, str]:
    """The order is over: closes its player (M-37)."""
    await actions.finish(db=ctx.db, queue=ctx.queue, finish=call.args)
    return {}
