"""What the periodic tasks of music find to do."""

from chaos.music.riding import Ride
from chaos.stage import Stage
from chaos.trial import type_of_flow


async def _unheard_of(stage: Stage) -> None:
    """A taximeter that has not reported for a minute."""
    ride, _ = await Ride.begun(stage)
    silent = "UPDATE players.players SET reported_at = now() - interval '1 minute' WHERE order_id = %(order_id)s"
    await stage.as_time("music", silent, order_id=ride.order_id)


async def _idle(stage: Stage) -> None:
    """A player that nobody has touched for seven hours, with a command and a token that are to end with it."""
    ride, taximeter = await Ride.begun(stage)
    await taximeter.token()
    await ride.steer("play")
    idle = "UPDATE players.players SET touched_at = now() - interval '7 hours' WHERE order_id = %(order_id)s"
    await stage.as_time("music", idle, order_id=ride.order_id)


async def _long_over(stage: Stage) -> None:
    """A ride of last month."""
    ride, _ = await Ride.begun(stage)
    await ride.finish()
    for sql in (
        "UPDATE players.players SET closed_at = now() - interval '31 days' WHERE order_id = %(order_id)s",
        "UPDATE orders.orders SET updated_at = now() - interval '31 days' WHERE order_id = %(order_id)s",
    ):
        await stage.as_time("music", sql, order_id=ride.order_id)


async def _late(stage: Stage) -> None:
    """A command whose time is over, and that no push looks after any more."""
    ride, _ = await Ride.begun(stage)
    await ride.steer("play")
    await stage.databases["music"].run("DELETE FROM stq.tasks WHERE queue = 'music.command.push' AND state = 'waiting'")
    over = "UPDATE commands.commands SET expires_at = now() WHERE order_id = %(order_id)s"
    await stage.as_time("music", over, order_id=ride.order_id)


PREPARED: dict[str, type_of_flow] = {
    "music.players.lose": _unheard_of,
    "music.players.close_idle": _idle,
    "music.players.purge": _long_over,
    "music.orders.purge": _long_over,
    "music.commands.expire": _late,
}
