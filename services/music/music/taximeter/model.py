"""A report, and what of it the passenger can see."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit import errors
from music.commands import model as commands
from music.players import model as players
from music.players.model import Connection, Playback, Player, State


@dataclass(frozen=True, slots=True)
class Report:
    """What a taximeter says (M-15): number `report_seq` of its session."""

    order_id: str
    device_session: str
    report_seq: int
    state: State
    told: commands.Told


@dataclass(frozen=True, slots=True)
class Change:
    """What a report makes of the player's row; `is_visible` when the passenger can see a difference."""

    state: State
    applied_seq: int
    last_error: Mapping[str, str] | None
    is_visible: bool


@dataclass(frozen=True, slots=True)
class Orders:
    """What the taximeter is told: the version of its player, and the commands that it is to carry out."""

    version: int
    commands: Sequence[commands.Open]


def change(player: Player, report: Report, settled: commands.Settled) -> Change:
    """What the report makes of the player, which it may reach late: nothing plays in the future."""
    state = anchored(player.state, on_time(report.state, player.now))
    return Change(
        state=state,
        applied_seq=max(player.applied_seq, report.told.applied_seq),
        last_error=settled.error or player.last_error,
        is_visible=bool(settled.settlements)
        or player.connection is not Connection.ONLINE
        or shown(player.state) != shown(state),
    )


def on_time(state: State, now: datetime.datetime) -> State:
    """The state as a clock that is right would have it."""
    if state.position_at is None or state.position_at <= now:
        return state
    return dataclasses.replace(state, position_at=now)


def anchored(former: State | None, state: State) -> State:
    """`state` with the former anchor when it is the same playing: where the song must be by now, give or take 1.5 s."""
    if former is None or not _is_same_playing(former, state):
        return state
    return dataclasses.replace(state, position_ms=former.position_ms, position_at=former.position_at)


def _is_same_playing(former: State, state: State) -> bool:
    if (former.track, former.playback) != (state.track, state.playback):
        return False
    expected_ms = _position_ms(former, state.position_at)
    if expected_ms is None or state.position_ms is None:
        return expected_ms == state.position_ms
    return abs(state.position_ms - expected_ms) <= players.ANCHOR_TOLERANCE_MS


def _position_ms(state: State, at: datetime.datetime | None) -> int | None:
    """Where the song must be at this time."""
    if state.playback is not Playback.PLAYING or state.position_ms is None or state.position_at is None or at is None:
        return state.position_ms
    return state.position_ms + (at - state.position_at) // datetime.timedelta(milliseconds=1)


def shown(state: State | None) -> Any:
    """What of a state reaches the passenger."""
    if state is None:
        return None
    anchor = (state.position_ms, state.position_at)
    return state.playback, state.track, anchor, state.volume, players.allowances(state)


class DeviceSessionReplaced(errors.Conflict):
    """Another device plays for this player now."""
