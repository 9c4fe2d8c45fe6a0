"""Routes for the taximeter."""

from clients import music_backend
from kit import web
from music import config
from music.context import TAXIMETER, Context
from music.players.model import Driver, NotYourPlayer, PlayerClosed
from music.tokens import actions, model, schemas


@web.post(
    "/driver/v1/music/v1/player/token",
    callers=TAXIMETER,
    body=schemas.ORDER,
    answer=schemas.TOKEN,
    refusals=(NotYourPlayer, PlayerClosed),
)
async def issue(ctx: Context, call: web.Call) -> music_backend.Token:
    """A temporary token of the passenger's music account (M-08, M-11)."""
    driver = call.the_driver()
    asked = model.Asked(
        call.args["order_id"], Driver(driver.park_id, driver.driver_profile_id), ctx.dynamic.get(config.TOKEN_TTL_S)
    )
    return await actions.issue(db=ctx.db, queue=ctx.queue, music_backend=ctx.music_backend, asked=asked)
