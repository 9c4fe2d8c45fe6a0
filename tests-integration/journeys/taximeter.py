"""A demo driver's taximeter, as whoever sits in the car finds it: what really sounds, and what it may be made to do."""

from dataclasses import dataclass
from typing import Any

from journeys.player import Player
from journeys.world import Answer, StepFailed, World, expect


@dataclass(frozen=True, slots=True)
class Taximeter:
    """The taximeter of one driver."""

    world: World
    session: str
    driver_profile_id: str

    @classmethod
    async def switched_on(cls, world: World, **driver: str) -> "Taximeter":
        """That of a new driver; `application_version` makes it another one than the newest."""
        made = expect(await world.sandbox("POST", "/_drivers", driver), 200)
        return cls(world, made["session"], made["driver_profile_id"])

    async def looks(self) -> Any:
        """What sounds in the car."""
        return expect(await self._look(), 200)

    async def is_silent(self) -> None:
        """Waits until it has heard that its ride has no music any more (410), and nothing sounds."""
        await self.world.eventually(self._look, lambda shown: (shown["ride"], shown["playback"]) == ("over", "stopped"))

    async def becomes(self, **changed: Any) -> None:
        """Changes what the device is like: `is_online`, `wait_ms` of its long polls, `heartbeat_s` of its reports."""
        expect(await self.world.sandbox("PUT", f"/taximeter/{self.driver_profile_id}", changed), 200)

    async def dies(self) -> None:
        """It is switched off: nothing sounds, and what it had not written down is lost."""
        await self.becomes(restart=True, is_online=False)

    async def comes_back(self) -> None:
        """It is switched on: another device session."""
        await self.becomes(is_online=True)

    async def obeys(self, way: str) -> Any:
        """What sounds in the car; StepFailed unless the last command came this way: pull, push or report."""
        car = await self.looks()
        if (found := car["handled"][-1]["via"]) != way:
            raise StepFailed(f"the command came by {found}, not by {way}")
        return car

    async def token(self, player: Player) -> str:
        """The token of the ride's music, asked for as the taximeter does (M-11)."""
        headers = {"Authorization": f"Bearer {self.session}"}
        url = f"{self.world.url('sandbox')}/driver/v1/music/v1/player/token"
        return str(expect(await self.world.ask("POST", url, {"order_id": player.order_id}, headers), 200)["token"])

    async def asks_grants(self) -> Answer:
        """What the music backend has let in, whoever it was."""
        return await self.world.sandbox("GET", "/music-backend/_tokens")

    def of(self, grants: Answer) -> list[Any]:
        """Those of them that let in this car."""
        return [grant for grant in grants.body["grants"] if grant.get("driver_profile_id") == self.driver_profile_id]

    async def grants(self) -> list[Any]:
        """How the music backend has let in this car."""
        return self.of(await self.asks_grants())

    async def _look(self) -> Answer:
        return await self.world.sandbox("GET", f"/taximeter/{self.driver_profile_id}")


def told(car: Any) -> Any:
    """What a look at the taximeter comes to for a reader of the journey."""
    shown = ("ride", "is_online", "playback", "position_ms", "volume", "applied_seq")
    return {name: car[name] for name in shown} | {"track": car["track"] and car["track"]["title"]}
