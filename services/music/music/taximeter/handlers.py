"""The routes of the taximeter."""

from kit import caches, web
from music.commands.model import SeqUnknown
from music.context import TAXIMETER, Context
from music.players.model import Driver, NotYourPlayer, PlayerClosed
from music.taximeter import actions, model, schemas


@web.post(
    "/driver/v1/music/v1/player/update",
    callers=TAXIMETER,
    body=schemas.REPORT,
    answer=schemas.ORDERS,
    refusals=(NotYourPlayer, PlayerClosed, model.DeviceSessionReplaced, SeqUnknown),
)
async def update(ctx: Context, call: web.Call) -> web.Ready:
    """Takes what the taximeter plays and what became of commands (M-15); gives what it has not settled."""
    return web.Ready(schemas.answer(await actions.take_report(db=ctx.db, driver=_driver(call), report=call.args)))


@web.get(
    "/driver/v1/music/v1/player/commands",
    callers=TAXIMETER,
    query=schemas.PULL,
    answer=schemas.ORDERS,
    refusals=(NotYourPlayer, PlayerClosed, caches.NotLoaded),
    is_waiting=True,
)
async def pull(ctx: Context, call: web.Call) -> web.Ready:
    """Gives the open commands, if need be as soon as there are some: a lost push costs only time (M-21, M-22)."""
    orders = await actions.pull(
        db=ctx.db,
        caches=ctx.caches,
        driver=_driver(call),
        order_id=call.args["order_id"],
        after_seq=call.args["after_seq"],
        wait_s=min(call.args["wait_ms"] / 1000, call.remaining_s),
    )
    return web.Ready(schemas.answer(orders))


def _driver(call: web.Call) -> Driver:
    driver = call.the_driver()
    return Driver(driver.park_id, driver.driver_profile_id)
