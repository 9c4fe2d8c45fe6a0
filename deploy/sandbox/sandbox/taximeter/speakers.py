"""What really sounds in the car: a queue of tracks played in time, exact to the millisecond of the clock it is given.

Times are milliseconds of a monotonic clock, passed by whoever asks.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.music import catalogue

FIRST_VOLUME = 50


class CannotDo(Exception):
    """The speakers can't do this now; the message is the reason."""


class Speakers:
    """One car's speakers; `volume` is None when it can't be set from here."""

    def __init__(self) -> None:
        self.volume: int | None = FIRST_VOLUME
        self.silence()

    def silence(self) -> None:
        """Nothing is loaded and nothing sounds; the volume stays."""
        self._item: catalogue.Item | None = None
        self._index = 0
        self._playback = "stopped"
        # The position at the moment `_since`, which is None while nothing moves.
        self._position_ms = 0.0
        self._since: float | None = None

    @property
    def is_loaded(self) -> bool:
        """True when there is a track."""
        return self._item is not None

    def load(self, item: catalogue.Item, offset: int, now_ms: float) -> None:
        """Plays an item from its track number `offset`."""
        if offset >= len(item.tracks):
            raise CannotDo("no_such_offset")
        self._item = item
        self._start(offset, now_ms)

    def play(self, now_ms: float) -> None:
        """Goes on; what plays already plays on."""
        self.settle(now_ms)
        self._track()
        if self._since is None:
            self._since, self._playback = now_ms, "playing"

    def pause(self, now_ms: float) -> None:
        """Stands still at this position; when nothing plays nothing changes."""
        self.settle(now_ms)
        if self._since is not None:
            self._position_ms += now_ms - self._since
            self._since, self._playback = None, "paused"

    def step(self, by: int, now_ms: float) -> None:
        """Plays the track `by` places further, from its start."""
        self.settle(now_ms)
        self._track()
        reason = self._no_step(by)
        if reason is not None:
            raise CannotDo(reason)
        self._start(self._index + by, now_ms)

    def seek(self, position_ms: int, now_ms: float) -> None:
        """Goes to a position of this track, playing or not."""
        self.settle(now_ms)
        if position_ms > self._track()["duration_ms"]:
            raise CannotDo("beyond_track")
        self._position_ms = position_ms
        if self._since is not None:
            self._since = now_ms

    def set_volume(self, volume: int) -> None:
        """0 is silent, 100 is loudest."""
        if self.volume is None:
            raise CannotDo("volume_unsupported")
        self.volume = volume

    def settle(self, now_ms: float) -> bool:
        """Lets time pass: ended tracks give way to the next ones, the last one stops; True when one has ended."""
        has_ended = False
        while (left := self.left_ms(now_ms)) is not None and left <= 0:
            has_ended = True
            if self._no_step(1) is None:
                self._start(self._index + 1, now_ms + left)
            else:
                self._position_ms, self._since, self._playback = 0, None, "stopped"
        return has_ended

    def left_ms(self, now_ms: float) -> float | None:
        """How long until the track ends; None while nothing moves."""
        if self._since is None:
            return None
        return float(self._track()["duration_ms"] - self._position_ms - (now_ms - self._since))

    def state(self, now_ms: float, now_on_wire: str) -> dict[str, Any]:
        """What sounds now, as it is reported to music."""
        self.settle(now_ms)
        is_loaded = self._item is not None
        moved = 0 if self._since is None else now_ms - self._since
        return {
            "playback": self._playback,
            "track": dict(self._track()) if is_loaded else None,
            "position_ms": round(self._position_ms + moved) if is_loaded else None,
            "position_at": now_on_wire if is_loaded else None,
            "volume": self.volume,
            "context": None if self._item is None else dict(self._item.context),
            "disallows": self._disallows(),
        }

    def _disallows(self) -> list[dict[str, str]]:
        steps = {"next": self._no_step(1), "previous": self._no_step(-1)}
        return [{"action": action, "reason": reason} for action, reason in steps.items() if reason is not None]

    def _no_step(self, by: int) -> str | None:
        if self._item is None:
            return "no_track"
        if (self._item.is_endless and by > 0) or 0 <= self._index + by < len(self._item.tracks):
            return None
        return "no_next_track" if by > 0 else "no_previous_track"

    def _start(self, index: int, now_ms: float) -> None:
        tracks = () if self._item is None else self._item.tracks
        self._index, self._position_ms, self._since, self._playback = index % len(tracks), 0, now_ms, "playing"

    def _track(self) -> Mapping[str, Any]:
        if self._item is None:
            raise CannotDo("no_track")
        return self._item.tracks[self._index]
