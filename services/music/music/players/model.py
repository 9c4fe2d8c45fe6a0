"""A player, what the taximeter said of it, and what may be refused about it."""

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit import clock, errors

CHANNEL = "music_players"
"""Where the database tells of each new version of an order's player."""
ANCHOR_TOLERANCE_MS = 1500
"""How far a reported position may be from where the song must be by now, for it to be the same playing."""


class Status(enum.StrEnum):
    """Whether anything can still happen to it."""

    ACTIVE = "active"
    CLOSED = "closed"


class Connection(enum.StrEnum):
    """Whether the taximeter is heard of."""

    CONNECTING = "connecting"
    ONLINE = "online"
    LOST = "lost"


class Playback(enum.StrEnum):
    """What the speakers do."""

    PLAYING = "playing"
    PAUSED = "paused"
    STOPPED = "stopped"
    BUFFERING = "buffering"


class Action(enum.StrEnum):
    """What the passenger can ask for (M-17..M-20)."""

    PLAY = "play"
    PAUSE = "pause"
    NEXT = "next"
    PREVIOUS = "previous"
    PLAY_ITEM = "play_item"
    SET_VOLUME = "set_volume"
    SEEK = "seek"


@dataclass(frozen=True, slots=True)
class Driver:
    """Who drives, and with whose car."""

    park_id: str
    driver_profile_id: str


@dataclass(frozen=True, slots=True)
class State:
    """What the taximeter reported (M-15): `position_ms` of the track at `position_at`, from where it is extrapolated.

    `track` is `{id, title, artists, album, duration_ms, cover_uri, explicit, private}`, `context` `{type, id, title}`,
    each as it was reported; `disallows` has the reason of each action that the taximeter can't do now; `volume` is
    0..100, None when the taximeter can't set it.
    """

    playback: Playback
    track: Mapping[str, Any] | None
    position_ms: int | None
    position_at: datetime.datetime | None
    volume: int | None
    context: Mapping[str, Any] | None
    disallows: Mapping[Action, str]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "State":
        """From what `to_json` gave."""
        at = raw["position_at"]
        return cls(
            playback=Playback(raw["playback"]),
            track=raw["track"],
            position_ms=raw["position_ms"],
            position_at=None if at is None else datetime.datetime.fromisoformat(at),
            volume=raw["volume"],
            context=raw["context"],
            disallows={Action(action): reason for action, reason in raw["disallows"].items()},
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "playback": self.playback,
            "track": self.track,
            "position_ms": self.position_ms,
            "position_at": None if self.position_at is None else clock.to_wire(self.position_at),
            "volume": self.volume,
            "context": self.context,
            "disallows": {action.value: reason for action, reason in self.disallows.items()},
        }


def allowances(state: State | None) -> Mapping[Action, str | None]:
    """Each action with the reason why it can't be done now, None for one that can; no state is no report yet."""
    if state is None:
        reasons = dict.fromkeys((Action.SEEK, Action.SET_VOLUME), "no_state")
    else:
        reasons = dict(state.disallows)
        if state.volume is None:
            reasons[Action.SET_VOLUME] = "volume_unsupported"
        if state.track is None:
            reasons[Action.SEEK] = "no_track"
    return {action: reasons.get(action) for action in Action}


@dataclass(frozen=True, slots=True)
class Player:
    """One player; times in UTC, by the database's clock. `last_error` is `{command_id, code}`."""

    player_id: str
    order_id: str
    yandex_uid: str
    driver: Driver
    status: Status
    close_reason: str | None
    connection: Connection
    state: State | None
    last_error: Mapping[str, str] | None
    version: int
    last_seq: int
    applied_seq: int
    device_session: str | None
    report_seq: int | None
    opened_at: datetime.datetime
    reported_at: datetime.datetime | None
    # The database's clock when the row was read.
    now: datetime.datetime

    @classmethod
    def from_row(cls, **row: Any) -> "Player":
        """From the columns that `queries` reads."""
        state = row.pop("state")
        return cls(
            driver=Driver(row.pop("park_id"), row.pop("driver_profile_id")),
            status=Status(row.pop("status")),
            connection=Connection(row.pop("connection")),
            state=None if state is None else State.from_json(state),
            **row,
        )


class PlayerUnavailable(errors.NotAcceptable):
    """There is no music in this ride."""


class NotYourPlayer(errors.Forbidden):
    """This player belongs to another driver."""


class PlayerClosed(errors.Gone):
    """This player is closed: the music has to stop."""


NO_PLAYER = "no_player"
CLOSED = "closed"
NOT_ELIGIBLE = "not_eligible"
"""Reasons of PlayerUnavailable."""
