"""The music player of a passenger's app during one ride, beside what the car really plays."""

import datetime
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from journeys.world import Answer, StepFailed, World, expect
from kit import clock

_TOLERANCE_MS = 1500
_MILLISECOND = datetime.timedelta(milliseconds=1)


@dataclass
class Player:
    """One ride's player, as the app of `session` shows it; whatever it shows, the version must not go back."""

    world: World
    session: str
    order_id: str
    version: int = field(default=0)

    async def look(self) -> Answer:
        """One poll (M-13); StepFailed when it shows a former version."""
        answer = await self.world.passenger(self.session, "GET", self._path)
        if answer.status == 200:
            if answer.body["version"] < self.version:
                raise StepFailed(f"the screen went back from version {self.version} to {answer.body['version']}")
            self.version = answer.body["version"]
        return answer

    async def shows(self, wanted: Callable[[Any], bool]) -> Any:
        """Polls until the screen is the wanted one; only that one is told."""
        return (await self.world.eventually(self.look, wanted)).body

    async def news(self, wait_ms: int) -> Answer:
        """Waits for what is newer than what was seen, for `wait_ms` at the most; 304 when there is nothing."""
        known = await self.look()
        headers = {} if known.etag is None else {"If-None-Match": known.etag}
        return await self.world.passenger(self.session, "GET", f"{self._path}&wait_ms={wait_ms}", **headers)

    async def asks(self, action: str, **args: Any) -> Answer:
        """One command (M-16)."""
        return await self.sends(self.command(action, **args))

    def command(self, action: str, **args: Any) -> dict[str, Any]:
        """A command as the app makes it; whatever is sent again keeps its id."""
        return {"order_id": self.order_id, "command_id": str(uuid.uuid4()), "action": action, "args": args}

    async def sends(self, command: Mapping[str, Any]) -> Answer:
        """Sends a command that was made before."""
        return await self.world.passenger(self.session, "POST", "/4.0/music/v1/player/command", command)

    async def gets(self, action: str, wanted: Callable[[Any], bool], **args: Any) -> Any:
        """A command and the screen once the car has obeyed: nothing pending, no error, and as wanted."""
        expect(await self.asks(action, **args), 200)
        return await self.shows(lambda screen: not (screen["pending"] or screen["last_error"]) and wanted(screen))

    @property
    def _path(self) -> str:
        return f"/4.0/music/v1/player/state?order_id={self.order_id}"


def told(screen: Any) -> Any:
    """What a screen comes to for a reader of the journey."""
    track, refused = screen["track"], {name for name, verdict in screen["actions"].items() if not verdict["allowed"]}
    shown = ("version", "connection", "playback", "position_ms", "volume", "pending", "last_error")
    found = {name: screen[name] for name in shown} | {"track": track and track["title"]}
    return found | ({"not now": sorted(refused)} if refused else {})


def now_at(shown: Any) -> int:
    """Where in the song the speakers are by now, as a client works it out from a screen; milliseconds."""
    since = clock.now() - datetime.datetime.fromisoformat(shown["position_at"])
    return int(shown["position_ms"] + (since / _MILLISECOND if shown["playback"] == "playing" else 0))


def agree(screen: Any, car: Any) -> None:
    """StepFailed when the passenger sees something else than the speakers play."""
    for name in ("playback", "track", "volume"):
        if screen[name] != car[name]:
            raise StepFailed(f"the screen shows {name} {screen[name]}, the car has {car[name]}")
    if screen["track"] is not None:
        must_be_near(now_at(screen), now_at(car))


def must_be_near(found_ms: int, wanted_ms: int) -> None:
    """StepFailed when a position in the song is another one."""
    if abs(found_ms - wanted_ms) > _TOLERANCE_MS:
        raise StepFailed(f"the song is at {found_ms} ms, not at {wanted_ms}")
