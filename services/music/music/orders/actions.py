"""Carrying out the events of processing, and closing players with everything that hangs on them."""

import functools
from dataclasses import dataclass

from clients import plus as plus_client
from kit import dynconf, http_client, metrics, pg, stq
from music import config
from music.commands import actions as commands
from music.orders import model, queries
from music.orders.model import NotOpened
from music.players import actions as players
from music.players.model import Player
from music.tokens import actions as tokens

_OPENED = metrics.counter("music_players_opened_total", "Players that were opened")
_NOT_OPENED = metrics.counter(
    "music_players_not_opened_total", "Assignments without music by what they lack (M-34)", ("reason",)
)
_PLUS_UNANSWERED = metrics.counter(
    "music_plus_unanswered_total", "Assignments for which the flag was believed, since plus could not say"
)
_IDLE_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Availability:
    """Who is asked whether there is music in a ride (M-24..M-26, T6)."""

    dynamic: dynconf.Configs
    plus: plus_client.Plus

    async def refusal(self, assignment: model.Assignment) -> NotOpened | None:
        """What the ride lacks, None when music is available; plus is asked last, when all the rest is there."""
        passenger = assignment.passenger
        if not self._is_in_experiment(passenger):
            return NotOpened.NOT_IN_EXPERIMENT
        if model.PORTAL not in passenger.flags:
            return NotOpened.NOT_PORTAL
        if model.is_old(assignment.taximeter_version, self.dynamic.get(config.TAXIMETER_VERSION)):
            return NotOpened.TAXIMETER_TOO_OLD
        return None if await self._has_plus(passenger) else NotOpened.NO_PLUS

    def _is_in_experiment(self, passenger: model.Passenger) -> bool:
        value = self.dynamic.experiment(
            config.IN_RIDE,
            uid=passenger.yandex_uid,
            phone_id=passenger.phone_id,
            flags=passenger.flags,
            application=passenger.application,
            version=passenger.application_version,
            city=passenger.city,
        )
        return value is not None

    async def _has_plus(self, passenger: model.Passenger) -> bool:
        try:
            return (await self.plus.status(passenger.yandex_uid)).has_plus
        except http_client.Failure:
            _PLUS_UNANSWERED.inc()
            return model.YA_PLUS in passenger.flags


async def assign(
    *, db: pg.Database, queue: stq.Queue, availability: Availability, assignment: model.Assignment
) -> model.Outcome:
    """Opens the player of a driver (M-36), closes that of another; what an older or repeated assignment came to."""
    standing = await queries.find_standing(db, assignment.order_id)
    if standing is None or standing.event_seq < assignment.event_seq:
        refusal = await availability.refusal(assignment)
        async with db.transaction() as tx:
            if await queries.mark_assigned(tx, assignment, refusal):
                await _carry_out(tx, queue, assignment, refusal)
        standing = await queries.find_standing(db, assignment.order_id)
    return model.outcome_of(standing, assignment.event_seq)


async def _carry_out(
    tx: pg.Transaction, queue: stq.Queue, assignment: model.Assignment, refusal: NotOpened | None
) -> None:
    current = await players.lock_active(tx=tx, order_id=assignment.order_id)
    if current is not None and refusal is None and assignment.is_of(current):
        return
    if current is not None:
        await _close(tx, queue, current, assignment.ends(current))
    if refusal is not None:
        tx.after_commit(_NOT_OPENED.labels(refusal.value).inc)
        return
    await players.open_player(
        tx=tx,
        order_id=assignment.order_id,
        yandex_uid=assignment.passenger.yandex_uid,
        driver=assignment.driver,
    )
    tx.after_commit(_OPENED.inc)


async def finish(*, db: pg.Database, queue: stq.Queue, finish: model.Finish) -> None:
    """Closes the player of an order that is over (M-37); one that is assigned later by an older event opens none."""
    async with db.transaction() as tx:
        if await queries.mark_finished(tx, finish):
            current = await players.lock_active(tx=tx, order_id=finish.order_id)
            if current is not None:
                await _close(tx, queue, current, finish.reason)


async def close_idle(*, db: pg.Database, queue: stq.Queue, after_s: int) -> int:
    """Closes players that nobody has touched for `after_s` seconds; how many."""
    return await pg.in_batches(functools.partial(_close_idle, db, queue, after_s), size=_IDLE_AT_ONCE)


async def _close_idle(db: pg.Database, queue: stq.Queue, after_s: int, limit: int) -> int:
    async with db.transaction() as tx:
        idle = await players.lock_idle(tx=tx, after_s=after_s, limit=limit)
        for player in idle:
            await _close(tx, queue, player, model.IDLE)
    return len(idle)


async def _close(tx: pg.Transaction, queue: stq.Queue, player: Player, reason: str) -> None:
    """Ends a locked player: its open commands are cancelled, its tokens are going to be revoked."""
    await commands.cancel_open(tx=tx, player_id=player.player_id, reason=reason)
    await players.close_player(tx=tx, player=player, reason=reason)
    await tokens.order_revocation(tx=tx, queue=queue, player_id=player.player_id)


async def purge(*, db: pg.Database, days: int) -> int:
    """Forgets orders of which nothing was heard for `days` days; how many."""
    return await pg.in_batches(lambda limit: queries.delete_ended(db, days=days, limit=limit))
