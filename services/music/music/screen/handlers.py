"""What the passenger's app polls, and what totw asks before it may."""

from typing import Any

from kit import caches, web
from music import config
from music.context import PASSENGER, TOTW, Context
from music.players.model import PlayerUnavailable
from music.screen import actions, model, schemas


@web.get(
    "/4.0/music/v1/player/state",
    callers=PASSENGER,
    query=schemas.POLL,
    answer=schemas.STATE,
    refusals=(PlayerUnavailable, model.VersionMalformed, caches.NotLoaded),
    is_logged=False,
    is_waiting=True,
    has_etag=True,
)
async def state(ctx: Context, call: web.Call) -> web.Ready | web.NotModified:
    """Shows the player (M-13); with If-None-Match 304 while it is unchanged, after at most `wait_ms`; 406 ends polling.

    `ETag` is the version.
    """
    args = call.args
    wait_ms = args["wait_ms"]
    poll = actions.Poll(
        yandex_uid=call.the_passenger().yandex_uid,
        order_id=args["order_id"],
        if_none_match=call.headers.get(web.routes.ETAG_HEADER),
        wait_s=min(wait_ms / 1000, call.remaining_s) if wait_ms else 0,
    )
    screen, is_news = await actions.look(caches=ctx.caches, poll=poll)
    if not is_news:
        return web.NotModified(screen.etag)
    interval_ms = ctx.dynamic.get(config.POLLING)["interval_ms"]
    return web.Ready(b'%b,"polling_interval_ms":%d}' % (screen.head, interval_ms), etag=screen.etag)


@web.get(
    "/internal/music/v1/totw",
    callers=TOTW,
    query=schemas.RIDE,
    answer=schemas.TOTW,
    refusals=(caches.NotLoaded,),
)
async def totw(ctx: Context, call: web.Call) -> dict[str, Any]:
    """Whether this ride has music, so that clients of others never poll (M-27, M-28)."""
    polling = ctx.dynamic.get(config.POLLING)
    return {
        "enabled": await actions.is_enabled(caches=ctx.caches, **call.args),
        "poll_from_status": polling["from_status"],
        "polling_interval_ms": polling["interval_ms"],
    }
