"""One command of the passenger, as the taximeter gets it and does it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.music import catalogue
from sandbox.taximeter import sdk, speakers


@dataclass(frozen=True, slots=True)
class Command:
    """`ends` is when it is worth nothing any more, by this device's monotonic clock; `via` is how it came."""

    seq: int
    command_id: str
    action: str
    args: Mapping[str, Any]
    ends: float
    received_at: str
    via: str

    @property
    def is_expired(self) -> bool:
        """True when it is too late to do it."""
        return time.monotonic() >= self.ends


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that was to be waited for before a command can be done at once."""

    item: catalogue.Item | None = None


async def prepare(command: Command, sound: speakers.Speakers, music: sdk.Sdk) -> Prepared:
    """Gets the token and the tracks that the command needs; CannotDo when they can't be had."""
    if command.action == "play_item":
        return Prepared(await music.item(str(command.args["type"]), str(command.args["id"])))
    if command.action == "play" and not sound.is_loaded:
        return Prepared(await music.item(*catalogue.DEFAULT))
    if command.action in ("play", "next", "previous"):
        await music.ready()
    return Prepared()


def do(command: Command, prepared: Prepared, sound: speakers.Speakers) -> None:
    """Does it now; CannotDo names why not."""
    now_ms = time.monotonic() * 1000
    args = command.args
    verbs: Mapping[str, Callable[[], None]] = {
        "play": lambda: _play(prepared, sound, now_ms),
        "pause": lambda: sound.pause(now_ms),
        "next": lambda: sound.step(1, now_ms),
        "previous": lambda: sound.step(-1, now_ms),
        "play_item": lambda: _load(prepared, sound, int(args.get("offset") or 0), now_ms),
        "set_volume": lambda: sound.set_volume(int(args["volume"])),
        "seek": lambda: sound.seek(int(args["position_ms"]), now_ms),
    }
    verb = verbs.get(command.action)
    if verb is None:
        raise speakers.CannotDo("unknown_action")
    verb()


def _play(prepared: Prepared, sound: speakers.Speakers, now_ms: float) -> None:
    if prepared.item is not None:
        sound.load(prepared.item, 0, now_ms)
    else:
        sound.play(now_ms)


def _load(prepared: Prepared, sound: speakers.Speakers, offset: int, now_ms: float) -> None:
    if prepared.item is None:
        raise speakers.CannotDo("item_not_found")
    sound.load(prepared.item, offset, now_ms)
