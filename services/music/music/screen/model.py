"""What a passenger is shown, and the version that a client says it has."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from kit import errors
from music.players.model import Action, Connection, Playback, State, allowances

_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t]*(?:\*|{_TAG}(?:[ \t]*,[ \t]*{_TAG})*)[ \t]*")
_VERSION = re.compile(r'"([0-9]{1,18})"')


class VersionMalformed(errors.Invalid):
    """If-None-Match is neither * nor a list of entity tags."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The newest command that the taximeter has not settled."""

    command_id: str
    seq: int
    action: Action
    deadline: datetime.datetime


@dataclass(frozen=True, slots=True)
class View:
    """A player as its passenger sees it (M-13); before the taximeter first reports, nothing plays."""

    player_id: str
    version: int
    connection: Connection
    state: State | None
    pending: Pending | None
    last_error: Mapping[str, str] | None

    @property
    def playback(self) -> Playback:
        """What the speakers do."""
        return Playback.STOPPED if self.state is None else self.state.playback

    @property
    def track(self) -> Mapping[str, Any] | None:
        """What is played."""
        return None if self.state is None else self.state.track

    @property
    def position_ms(self) -> int | None:
        """Where in the track the player was at `position_at`."""
        return None if self.state is None else self.state.position_ms

    @property
    def position_at(self) -> datetime.datetime | None:
        """When it was at `position_ms`."""
        return None if self.state is None else self.state.position_at

    @property
    def volume(self) -> int | None:
        """0..100, None when it can't be set."""
        return None if self.state is None else self.state.volume

    @property
    def actions(self) -> dict[str, dict[str, Any]]:
        """Every button: whether it can be pressed, else the reason."""
        return {
            action.value: {"allowed": True} if reason is None else {"allowed": False, "reason": reason}
            for action, reason in allowances(self.state).items()
        }


def encoded(view: View) -> bytes:
    """The answer as JSON but for its end, where `polling_interval_ms` comes from a config of its own."""
    pending = view.pending
    content = {
        "player_id": view.player_id,
        "version": view.version,
        "playback": view.playback,
        "track": view.track,
        "position_ms": view.position_ms,
        "position_at": view.position_at,
        "volume": view.volume,
        "actions": view.actions,
        "pending": pending
        and {
            "command_id": pending.command_id,
            "seq": pending.seq,
            "action": pending.action,
            "deadline": pending.deadline,
        },
        "last_error": view.last_error,
        "connection": view.connection,
    }
    return orjson.dumps(content)[:-1]


@dataclass(frozen=True, slots=True)
class Screen:
    """What is kept of an order: the encoded View of its newest player, or why there is no music (`refusal`).

    `if_none_match` is how almost every client writes that it has this version, so that it need not be read.
    """

    yandex_uid: str
    version: int
    refusal: str | None
    if_none_match: str
    head: bytes

    @property
    def etag(self) -> str:
        """The version as it stands between the quotes of ETag."""
        return str(self.version)

    @classmethod
    def of(cls, yandex_uid: str, view: View) -> "Screen":
        """Of an active player."""
        return cls(yandex_uid, view.version, None, f'"{view.version}"', encoded(view))

    @classmethod
    def without_music(cls, yandex_uid: str, version: int, refusal: str) -> "Screen":
        """Of an order whose player is closed, or that never had one."""
        return cls(yandex_uid, version, refusal, "", b"")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client says it has: any of `versions`, or whatever there is."""

    versions: frozenset[int]
    is_any: bool

    def has(self, version: int) -> bool:
        """True when the client needs nothing as long as there is `version`."""
        return self.is_any or version in self.versions

    @property
    def newest(self) -> int:
        """The highest version, 0 when none is named."""
        return max(self.versions, default=0)


def seen(if_none_match: str) -> Seen:
    """What If-None-Match names; a tag that is not one of ours is nobody's version. VersionMalformed."""
    if not _TAGS.fullmatch(if_none_match):
        raise VersionMalformed
    return Seen(frozenset(map(int, _VERSION.findall(if_none_match))), if_none_match.strip() == "*")
