"""Finding a player for those who may have to do with it, opening and closing one."""

import uuid
from collections.abc import Mapping

from kit import caches, metrics, pg
from music.players import model, queries

_ACTIVE = metrics.gauge("music_players", "Active players by connection", ("connection",))
_CLOSED = metrics.counter("music_players_closed_total", "Players that were closed")
_PURGED_AT_ONCE = 200


async def lock_for_passenger(*, tx: pg.Transaction, order_id: str, yandex_uid: str) -> model.Player:
    """The order's active player, locked. PlayerUnavailable, also for the order of another (M-29)."""
    player = await queries.lock_newest(tx, order_id)
    if player is not None and player.status is model.Status.CLOSED:
        # Its row may have been waited for while the order got another driver: the next statement sees that one's.
        player = await queries.lock_newest(tx, order_id)
    if player is None or player.yandex_uid != yandex_uid:
        raise model.PlayerUnavailable(reason=model.NO_PLAYER)
    if player.status is model.Status.CLOSED:
        raise model.PlayerUnavailable(reason=model.CLOSED)
    return player


async def lock_for_driver(*, tx: pg.Transaction, order_id: str, driver: model.Driver) -> model.Player:
    """The driver's active player, locked. NotYourPlayer, PlayerClosed."""
    player = await queries.lock_newest_of_driver(tx, order_id, driver)
    if player is not None and player.status is model.Status.CLOSED:
        player = await queries.lock_newest_of_driver(tx, order_id, driver)  # for the same reason as above
    return _of_driver(player)


async def get_for_driver(*, db: pg.Executor, order_id: str, driver: model.Driver) -> model.Player:
    """The driver's active player. NotYourPlayer, PlayerClosed."""
    return _of_driver(await queries.find_newest_of_driver(db, order_id, driver))


def _of_driver(player: model.Player | None) -> model.Player:
    if player is None:
        raise model.NotYourPlayer
    if player.status is model.Status.CLOSED:
        raise model.PlayerClosed(reason=player.close_reason)
    return player


async def open_player(*, tx: pg.Transaction, order_id: str, yandex_uid: str, driver: model.Driver) -> model.Player:
    """A new player of this order (M-36); UniqueViolation when another one is active."""
    return await queries.insert(tx, uuid.uuid4().hex, order_id=order_id, yandex_uid=yandex_uid, driver=driver)


async def lock_active(*, tx: pg.Transaction, order_id: str) -> model.Player | None:
    """The order's active player, locked, for whoever holds the order's own row: then no other one can be opened."""
    player = await queries.lock_newest(tx, order_id)
    return player if player is not None and player.status is model.Status.ACTIVE else None


async def lock_idle(*, tx: pg.Transaction, after_s: int, limit: int) -> list[model.Player]:
    """At most `limit` active players that nobody has touched for `after_s` seconds, locked."""
    return await queries.lock_idle(tx, after_s=after_s, limit=limit)


async def close_player(*, tx: pg.Transaction, player: model.Player, reason: str) -> None:
    """Closes a locked player; what hangs on it is the caller's."""
    await queries.mark_closed(tx, player.player_id, reason)
    tx.after_commit(_CLOSED.inc)


async def lose(*, db: pg.Database, after_s: int) -> int:
    """Notes of players not heard of for `after_s` seconds that their connection is lost; how many."""
    return await pg.in_batches(lambda limit: queries.mark_lost(db, after_s=after_s, limit=limit))


async def purge(*, db: pg.Database, days: int) -> int:
    """Forgets players closed more than `days` days ago, with their commands and grants; how many."""
    return await pg.in_batches(lambda limit: queries.delete_closed(db, days=days, limit=limit), size=_PURGED_AT_ONCE)


async def recount(*, db: pg.Database) -> None:
    """Has every process count the active players anew."""
    async with db.transaction() as tx:
        await queries.tell_to_count(tx)


async def count(db: pg.Executor) -> Mapping[model.Connection, int]:
    """How many players are active by their connection, shown in the metrics of this process."""
    counted = await queries.count_active(db)
    for connection in model.Connection:
        _ACTIVE.labels(connection.value).set(counted.get(connection, 0))
    return counted


FIGURES = caches.Cache("player_figures", channel="music_figures", load=count)
