"""A command, its fates, and what may be refused about it."""

import datetime
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit import errors
from music.players import model as players
from music.players.model import Action

SUPERSEDING = frozenset({Action.PLAY_ITEM, Action.SET_VOLUME, Action.SEEK})
"""Of these only the newest matters."""
NO_RESULT = "no_result"
"""Why a command failed that the taximeter has gone past without a word (M-23)."""
EXPIRED = "expired"
"""The code that the passenger is shown of a command whose time was over."""
_FIRST_PUSH_AGAIN_S = 0.5
_AFTER_EXPIRY_S = 0.05


class Status(enum.StrEnum):
    """Where a command stands: queued and delivered are open, the others final."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    APPLIED = "applied"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class ItemType(enum.StrEnum):
    """What can be played by its identifier (M-19)."""

    TRACK = "track"
    ALBUM = "album"
    PLAYLIST = "playlist"
    ARTIST = "artist"
    STATION = "station"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the passenger asks for; `expected_version` is the player that he saw when he did, if he cares."""

    yandex_uid: str
    order_id: str
    command_id: str
    action: Action
    args: Mapping[str, Any]
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a command may wait, by action where it differs, and that a player takes `limit` per window."""

    lifetime_s: int
    lifetime_by_action_s: Mapping[str, int]
    limit: int
    limit_window_s: int

    def lifetime_of(self, action: Action) -> int:
        """Seconds."""
        return self.lifetime_by_action_s.get(action.value, self.lifetime_s)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command as its sender is told of it: `version` of the player is the one that it made."""

    command_id: str
    seq: int
    status: Status
    version: int
    action: Action
    args: Mapping[str, Any]

    def is_of(self, asked: Asked) -> bool:
        """True when this came of the same wish."""
        return (self.action, self.args) == (asked.action, asked.args)


@dataclass(frozen=True, slots=True)
class Open:
    """A command that waits for the taximeter; `read_at` is the database's time when it was read."""

    seq: int
    command_id: str
    action: Action
    args: Mapping[str, Any]
    status: Status
    created_at: datetime.datetime
    expires_at: datetime.datetime
    read_at: datetime.datetime

    @property
    def is_over(self) -> bool:
        """True when its time is over, though nobody has written that down."""
        return self.expires_at <= self.read_at

    @property
    def age_s(self) -> float:
        """Seconds since it was accepted."""
        return (self.read_at - self.created_at).total_seconds()

    @property
    def expires_in_ms(self) -> int:
        """What is left of its time."""
        return int((self.expires_at - self.read_at) / datetime.timedelta(milliseconds=1))


@dataclass(frozen=True, slots=True)
class Result:
    """What the taximeter says of a command: APPLIED, or FAILED with a reason."""

    seq: int
    status: Status
    reason: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """What a report says of commands: results by seq, and that everything up to `applied_seq` is behind it."""

    results: Mapping[int, Result]
    applied_seq: int

    @classmethod
    def of(cls, results: Iterable[Result], applied_seq: int) -> "Told":
        """A result says as well that the taximeter has come that far."""
        by_seq = {result.seq: result for result in results}
        return cls(by_seq, max(applied_seq, *by_seq) if by_seq else applied_seq)


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an open command ends."""

    command: Open
    status: Status
    reason: str | None

    @property
    def error(self) -> dict[str, str] | None:
        """What the passenger is told, None for a command that was applied."""
        if self.status is Status.APPLIED:
            return None
        return {"command_id": self.command.command_id, "code": self.reason or EXPIRED}


def settlements(waiting: Sequence[Open], told: Told) -> list[Settlement]:
    """What a report makes of open commands: over is over, then its result, and what was passed over has failed."""
    found = []
    for command in waiting:
        result = told.results.get(command.seq)
        if command.is_over:
            found.append(Settlement(command, Status.EXPIRED, None))
        elif result is not None:
            found.append(Settlement(command, result.status, result.reason))
        elif command.seq <= told.applied_seq:
            found.append(Settlement(command, Status.FAILED, NO_RESULT))
    return found


def late_results(settled: Iterable[Settlement], told: Told) -> list[Result]:
    """The results of a report that ended nothing."""
    used = {each.command.seq for each in settled if each.status is not Status.EXPIRED}
    return [result for seq, result in told.results.items() if seq not in used]


@dataclass(frozen=True, slots=True)
class Settled:
    """What a report came to: what it ended, in the order of issue, and what is still open and handed out."""

    settlements: Sequence[Settlement]
    waiting: Sequence[Open]

    @property
    def error(self) -> Mapping[str, str] | None:
        """What the passenger is told of the newest that failed."""
        errors_of = [each.error for each in self.settlements if each.error is not None]
        return errors_of[-1] if errors_of else None


@dataclass(frozen=True, slots=True)
class Fate:
    """A command as support sees it."""

    seq: int
    command_id: str
    action: Action
    args: Mapping[str, Any]
    version: int
    status: Status
    reason: str | None
    created_at: datetime.datetime
    expires_at: datetime.datetime
    delivered_at: datetime.datetime | None
    settled_at: datetime.datetime | None
    late_result: str | None
    late_at: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class PlayerHistory:
    """A player as support sees it, with its commands."""

    player_id: str
    park_id: str
    driver_profile_id: str
    status: players.Status
    close_reason: str | None
    connection: players.Connection
    opened_at: datetime.datetime
    reported_at: datetime.datetime | None
    closed_at: datetime.datetime | None
    commands: Sequence[Fate] = ()


@dataclass(frozen=True, slots=True)
class Push:
    """A command that is to be pushed, with its driver; no time is left when `expires_in_s` is not above 0."""

    player_id: str
    order_id: str
    park_id: str
    driver_profile_id: str
    last_seq: int
    expires_in_s: float


def next_push_s(attempt: int, expires_in_s: float) -> float:
    """Seconds from the push number `attempt` to the next look: 0.5, 1, 2, 4 …, the last right after the expiry."""
    return min(_FIRST_PUSH_AGAIN_S * 2.0 ** (attempt - 1), expires_in_s + _AFTER_EXPIRY_S)


def refusal(asked: Asked, state: players.State | None) -> str | None:
    """Why the player can't do this now, None when it can."""
    reason = players.allowances(state)[asked.action]
    if reason is None and asked.action is Action.SEEK and state is not None and state.track is not None:
        return "beyond_track" if asked.args["position_ms"] > state.track["duration_ms"] else None
    return reason


class ActionDisallowed(errors.Conflict):
    """The player can't do this now."""


class VersionMismatch(errors.Conflict):
    """The player is not what the sender of this command saw."""


class CommandIdReused(errors.Conflict):
    """This command_id was given to another command."""


class TooManyCommands(errors.TooMany):
    """This player was sent too many commands."""


class SeqUnknown(errors.Invalid):
    """No such command was ever issued to this player."""
