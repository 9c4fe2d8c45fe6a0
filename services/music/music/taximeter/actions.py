"""Taking reports, and handing out commands."""

import asyncio
from collections.abc import Sequence

from kit import caches as cached
from kit import pg
from music.commands import actions as commands
from music.commands.model import Open
from music.players import actions as players
from music.players.model import Driver, Player
from music.screen.actions import PLAYERS
from music.taximeter import model, queries


async def take_report(*, db: pg.Database, driver: Driver, report: model.Report) -> model.Orders:
    """Writes down what a taximeter says; answers with what it has not settled yet (M-15, M-21).

    A report that is older than the last one changes nothing. NotYourPlayer, PlayerClosed, DeviceSessionReplaced,
    SeqUnknown.
    """
    async with db.transaction() as tx:
        player = await players.lock_for_driver(tx=tx, order_id=report.order_id, driver=driver)
        if player.device_session != report.device_session:
            if not await queries.insert_session(tx, player.player_id, report.device_session):
                raise model.DeviceSessionReplaced
        elif report.report_seq <= (player.report_seq or 0):
            return model.Orders(player.version, await commands.hand_out(tx=tx, player=player))
        settled = await commands.settle(tx=tx, player=player, told=report.told)
        version = await queries.mark_reported(tx, player, report, model.change(player, report, settled))
    return model.Orders(version, settled.waiting)


async def pull(
    *, db: pg.Database, caches: cached.Caches, driver: Driver, order_id: str, after_seq: int, wait_s: float
) -> model.Orders:
    """The open commands after `after_seq`, at once when there are any, else as soon as there are within `wait_s`.

    NotYourPlayer, PlayerClosed, also when it is closed meanwhile.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        player = await players.get_for_driver(db=db, order_id=order_id, driver=driver)
        found = await _handed_out(db, player, after_seq)
        left_s = until - loop.time()
        if found or left_s <= 0:
            return model.Orders(player.version, found)
        seen = await caches.wait(PLAYERS, order_id, beyond=player.version, timeout_s=left_s)
        if seen is None or seen.version <= player.version:
            return model.Orders(player.version, [])


async def _handed_out(db: pg.Database, player: Player, after_seq: int) -> Sequence[Open]:
    # Nobody waits for the player's lock as long as there is nothing to hand out.
    if player.last_seq <= max(after_seq, player.applied_seq):
        return []
    async with db.transaction() as tx:
        locked = await players.lock_for_driver(tx=tx, order_id=player.order_id, driver=player.driver)
        return await commands.hand_out(tx=tx, player=locked, after_seq=after_seq)
