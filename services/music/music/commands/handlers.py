"""Commands of the passenger, and their history for support."""

from typing import Any

from kit import web
from music import config
from music.commands import actions, model, schemas
from music.context import PASSENGER, SUPPORT, Context
from music.players.model import CHANNEL, PlayerUnavailable


@web.post(
    "/4.0/music/v1/player/command",
    callers=PASSENGER,
    body=schemas.COMMAND,
    answer=schemas.ACCEPTED,
    refusals=(
        PlayerUnavailable,
        model.ActionDisallowed,
        model.VersionMismatch,
        model.CommandIdReused,
        model.TooManyCommands,
    ),
)
async def command(ctx: Context, call: web.Call) -> web.Ready:
    """Steers the player (M-16..M-20); the same `command_id` again says what became of it."""
    accepted = await actions.accept(
        db=ctx.db,
        queue=ctx.queue,
        asked=model.Asked(yandex_uid=call.the_passenger().yandex_uid, **call.args),
        rules=model.Rules(**ctx.dynamic.get(config.COMMANDS)),
    )
    ctx.caches.expect(CHANNEL, call.args["order_id"], accepted.version)
    return web.Ready(schemas.answer(accepted))


@web.get("/internal/music/v1/player/history", callers=SUPPORT, query=schemas.HISTORY_QUERY, answer=schemas.HISTORY)
async def history(ctx: Context, call: web.Call) -> Any:
    """The players of an order with their commands and fates, the newest last; none for an unknown order."""
    return {"players": await actions.history(db=ctx.db, **call.args)}
