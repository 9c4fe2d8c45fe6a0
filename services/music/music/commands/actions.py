"""Accepting commands, having them delivered, and ending them."""

import dataclasses
import functools
import math
from collections.abc import Sequence

from clients import communications as communications_client
from kit import errors, http_client, logs, metrics, pg, stq
from music.commands import model, queries
from music.commands.model import Status
from music.players import actions as players
from music.players.model import Player

_SETTLED = metrics.counter("music_commands_total", "Commands by action and final status", ("action", "status"))
_APPLIED_AFTER = metrics.histogram(
    "music_command_applied_seconds",
    "Time from a command to its result, if it was applied",
    ("action",),
    buckets=(0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0),
)
_PUSHES = metrics.counter("music_pushes_total", "Pushes to taximeters by what became of them", ("outcome",))
_PUSH_CODE = "music_commands"
_PLAYERS_OF_HISTORY = 20
_COMMANDS_OF_HISTORY = 200


async def accept(*, db: pg.Database, queue: stq.Queue, asked: model.Asked, rules: model.Rules) -> model.Accepted:
    """Issues a command and its push (M-16..M-23); the same one again is answered with its fate, whatever has happened.

    PlayerUnavailable, CommandIdReused, ActionDisallowed, VersionMismatch, TooManyCommands.
    """
    try:
        return await _accepted(db, queue, asked, rules)
    except (pg.UniqueViolation, errors.NotAcceptable, errors.Conflict, errors.TooMany):
        # A repeat is answered though it could not be accepted any more, and takes nothing of the limit.
        known = await queries.find_accepted(db, asked)
        if known is None:
            raise
    if not known.is_of(asked):
        raise model.CommandIdReused
    return known


async def _accepted(db: pg.Database, queue: stq.Queue, asked: model.Asked, rules: model.Rules) -> model.Accepted:
    async with db.transaction() as tx:
        player = await players.lock_for_passenger(tx=tx, order_id=asked.order_id, yandex_uid=asked.yandex_uid)
        _check(player, asked)
        made = await queries.insert(tx, player.player_id, asked, rules)
        if made is None:
            wait_s = await queries.get_room_in_s(tx, player.player_id, rules)
            raise model.TooManyCommands(retry_after_s=max(1, math.ceil(wait_s)))
        accepted, superseded = made
        await order_push(queue, tx, player_id=player.player_id, seq=accepted.seq)
        _count_after(tx, Status.SUPERSEDED, [asked.action] * superseded)
    return accepted


def _check(player: Player, asked: model.Asked) -> None:
    if asked.expected_version not in (None, player.version):
        raise model.VersionMismatch(version=player.version)
    reason = model.refusal(asked, player.state)
    if reason is not None:
        raise model.ActionDisallowed(action=asked.action.value, reason=reason)


async def hand_out(*, tx: pg.Transaction, player: Player, after_seq: int = 0) -> list[model.Open]:
    """What the driver of a locked player gets: open, after `after_seq`, its time not over, in the order of issue."""
    if player.last_seq <= max(after_seq, player.applied_seq):
        return []
    waiting = await queries.list_open(tx, player.player_id)
    return await _handed_out(tx, player, [each for each in waiting if each.seq > after_seq and not each.is_over])


async def _handed_out(tx: pg.Transaction, player: Player, waiting: list[model.Open]) -> list[model.Open]:
    queued = [each.seq for each in waiting if each.status is Status.QUEUED]
    if queued:
        await queries.mark_delivered(tx, player.player_id, queued)
    return waiting


async def settle(*, tx: pg.Transaction, player: Player, told: model.Told) -> model.Settled:
    """Ends what the report on a locked player tells of and what its time is over, hands out the rest; SeqUnknown.

    A result of what is final already is only noted (M-23).
    """
    if told.applied_seq > player.last_seq:
        raise model.SeqUnknown(last_seq=player.last_seq)
    waiting = await queries.list_open(tx, player.player_id) if player.last_seq > player.applied_seq else []
    settled = model.settlements(waiting, told)
    if settled:
        await queries.mark_settled(tx, player.player_id, settled)
        tx.after_commit(functools.partial(_measure, settled))
    if late := model.late_results(settled, told):
        await queries.mark_late(tx, player.player_id, late)
    ended = {each.command.seq for each in settled}
    left = [each for each in waiting if each.seq not in ended]
    return model.Settled(settled, await _handed_out(tx, player, left))


async def cancel_open(*, tx: pg.Transaction, player_id: str, reason: str) -> None:
    """Ends what is open of a locked player that is being closed."""
    _count_after(tx, Status.CANCELLED, await queries.mark_cancelled(tx, player_id, reason))


async def expire(*, db: pg.Database) -> int:
    """Ends every command whose time is over, with an error for its passenger; how many."""
    return await pg.in_batches(functools.partial(_expire, db))


async def _expire(db: pg.Database, limit: int) -> int:
    actions = await queries.mark_expired(db, limit=limit)
    _count(Status.EXPIRED, actions)
    return len(actions)


async def order_push(
    queue: stq.Queue, tx: pg.Transaction, *, player_id: str, seq: int, attempt: int = 1, delay_s: float = 0
) -> None:
    """Has a command pushed after this transaction and `delay_s` seconds."""
    kwargs = {"player_id": player_id, "seq": seq, "attempt": attempt}
    task_id = f"{player_id}-{seq}-{attempt}"
    await queue.enqueue(tx, "music.command.push", task_id=task_id, kwargs=kwargs, delay_s=delay_s)


async def push(
    *, db: pg.Database, communications: communications_client.Communications, player_id: str, seq: int, attempt: int
) -> float | None:
    """Tells the taximeter that there are commands (M-22); seconds until the next look, None when none is needed."""
    due = await queries.find_push(db, player_id, seq)
    if due is None:
        return None
    if due.expires_in_s <= 0:
        await expire(db=db)
        return None
    try:
        await communications.push_to_driver(_push_of(due, token=f"{player_id}-{seq}-{attempt}"))
        _PUSHES.labels("sent").inc()
    except http_client.Failure as failure:
        # The taximeter pulls as well: a push that failed costs only time.
        _PUSHES.labels(failure.outcome).inc()
        logs.warning("push_failed", reason=failure.outcome, attempt=attempt)
    return model.next_push_s(attempt, due.expires_in_s)


def _push_of(due: model.Push, token: str) -> communications_client.DriverPush:
    return communications_client.DriverPush(
        park_id=due.park_id,
        driver_profile_id=due.driver_profile_id,
        code=_PUSH_CODE,
        payload={"order_id": due.order_id, "player_id": due.player_id, "up_to_seq": due.last_seq},
        ttl_s=math.ceil(due.expires_in_s),
        idempotency_token=token,
    )


async def history(*, db: pg.Executor, order_id: str) -> Sequence[model.PlayerHistory]:
    """The last 20 players of an order with the last 200 commands of each and their fates, the newest last."""
    found = await queries.list_players(db, order_id, limit=_PLAYERS_OF_HISTORY)
    fates = await queries.list_fates(db, [each.player_id for each in found], limit=_COMMANDS_OF_HISTORY)
    return [dataclasses.replace(each, commands=fates.get(each.player_id, [])) for each in found]


def _measure(settled: Sequence[model.Settlement]) -> None:
    for each in settled:
        _count(each.status, [each.command.action])
        if each.status is Status.APPLIED:
            _APPLIED_AFTER.labels(each.command.action.value).observe(each.command.age_s)


def _count_after(tx: pg.Transaction, status: Status, actions: Sequence[str]) -> None:
    if actions:
        tx.after_commit(functools.partial(_count, status, actions))


def _count(status: Status, actions: Sequence[str]) -> None:
    for action in actions:
        _SETTLED.labels(str(action), status.value).inc()
