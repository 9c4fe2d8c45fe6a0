"""What two people see on their screens against what the car's speakers play, sampled all the time whatever breaks.

A screen lies while it says online, shows neither a pending command nor an error, and differs from the speakers. For a
moment it may; what nobody may is to lie longer than a command lives and five seconds.
"""

import asyncio
import random
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from chaos import recording
from chaos.stage import Stage
from journeys.world import Answer, expect

_PERIOD_S = 0.1
_POLL_S = 0.25
_ROUTE = "/passenger/4.0/music/v1/player"
_BUTTONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("play", {}),
    ("pause", {}),
    ("next", {}),
    ("previous", {}),
    ("play_item", {"type": "album", "id": "neon-courtyard"}),
    ("set_volume", {"volume": 30}),
    ("set_volume", {"volume": 80}),
    ("seek", {"position_ms": 5000}),
)
type_of_sound = tuple[str, str | None, int | None]


@dataclass
class Screen:
    """One app: what it was told last, and since when that is a lie."""

    name: str
    shown: Any = None
    lies_since: float | None = None
    longest_lie_s: float = 0.0
    compared: int = 0
    timeline: list[str] = field(default_factory=list, repr=False)
    worst: list[str] = field(default_factory=list, repr=False)

    @property
    def says(self) -> type_of_sound | None:
        """What it promises to be heard, None while it promises nothing."""
        body = self.shown
        if body is None or body["connection"] != "online" or body["pending"] or body["last_error"]:
            return None
        return _sound(body)

    def compare(self, heard: type_of_sound, now: float) -> None:
        """One sample."""
        said = self.says
        self.compared += said is not None
        if said is None or said == heard:
            self.lies_since = None
            self.timeline.clear()
            return
        self.lies_since = self.lies_since or now
        self.timeline.append(f"{now:.1f} {self.name} shows {said} (version {self.shown['version']}), heard is {heard}")
        if now - self.lies_since > self.longest_lie_s:
            self.longest_lie_s = now - self.lies_since
            self.worst = list(self.timeline)


@dataclass
class Ride:
    """A ride through the sandbox: its passenger's session, its order, the driver of now.

    `dismissed` has every 406: whoever is told so during the ride does not ask again, and has lost the music (M-29).
    """

    stage: Stage
    session: str
    order_id: str
    driver: str
    dismissed: list[str] = field(default_factory=list)
    screens: tuple[Screen, Screen] = field(default_factory=lambda: (Screen("one"), Screen("two")))

    @classmethod
    async def begun(cls, stage: Stage) -> "Ride":
        """Somebody with Plus is in the car of a demo driver."""
        phone = f"+7926{secrets.randbelow(10**7):07}"
        stage.world.keep_secret(phone)
        person = await stage.world.sandbox("POST", "/_people", {"phone": phone, "has_plus": True})
        session = str(expect(person, 200)["session"])
        driver = await new_driver(stage)
        order = {"session": session, "driver_profile_id": driver}
        made = expect(await stage.world.sandbox("POST", "/processing/plain_orders", order), 200)
        ride = cls(stage, session, made["order_id"], driver)
        expect(await stage.world.sandbox("POST", ride._order("transporting")), 200)
        return ride

    def _order(self, verb: str) -> str:
        return f"/processing/plain_orders/{self.order_id}/{verb}"

    async def change_driver(self) -> None:
        """Another driver takes over."""
        driver = await new_driver(self.stage)
        expect(await self.stage.world.sandbox("POST", self._order("driver"), {"driver_profile_id": driver}), 200)
        self.driver = driver

    async def finish(self) -> None:
        """The ride is over."""
        expect(await self.stage.world.sandbox("POST", self._order("finish"), {}), 200)

    async def watch(self, screen: Screen) -> None:
        """An app that polls, and shows what it was last told; never returns."""
        while True:
            known = {} if screen.shown is None else {"If-None-Match": f'"{screen.shown["version"]}"'}
            answer = await self._asked("GET", f"{_ROUTE}/state?order_id={self.order_id}", None, known)
            if answer.status == 200:
                screen.shown = answer.body
            self._note(answer)
            await asyncio.sleep(_POLL_S)

    async def click(self, chance: random.Random) -> None:
        """Two thumbs; never returns."""
        while True:
            action, args = chance.choice(_BUTTONS)
            body = {"order_id": self.order_id, "command_id": str(uuid.uuid4()), "action": action, "args": args}
            for _ in range(5):
                answer = await self._asked("POST", f"{_ROUTE}/command", body, {})
                self._note(answer)
                if answer.status not in (0, 502, 503, 504):
                    break
                await asyncio.sleep(0.2)
            await asyncio.sleep(chance.uniform(0.2, 1.5))

    def _note(self, answer: Answer) -> None:
        if answer.status == 406:
            self.dismissed.append(f"{time.monotonic():.1f} {answer.body}")

    async def listen(self) -> None:
        """Compares all the time what is heard with what is shown; never returns."""
        while True:
            heard = await self.stage.world.sandbox("GET", f"/taximeter/{self.driver}")
            if heard.status == 200 and heard.body["order_id"] == self.order_id:
                for screen in self.screens:
                    screen.compare(_sound(heard.body), time.monotonic())
            await asyncio.sleep(_PERIOD_S)

    async def agrees(self) -> bool:
        """Whether both screens show what is heard, with nothing pending."""
        heard = expect(await self.stage.world.sandbox("GET", f"/taximeter/{self.driver}"), 200)
        shown = [screen.shown for screen in self.screens]
        print(f"heard is {_sound(heard)}, shown is {shown}")
        return all(
            body is not None
            and not body["pending"]
            and body["connection"] == "online"
            and _sound(body) == _sound(heard)
            for body in shown
        )

    async def _asked(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        world = self.stage.world
        session = {"Authorization": f"Bearer {self.session}", "X-Request-Language": "ru", **headers}
        return await recording.once(world.http, method, world.url("sandbox") + path, body, session, 2.0)


async def new_driver(stage: Stage) -> str:
    """A demo driver with a taximeter of his own."""
    return str(expect(await stage.world.sandbox("POST", "/_drivers", {}), 200)["driver_profile_id"])


def _is_at_rest(body: Any) -> bool:
    return body["connection"] == "online" and not body["pending"]


def _sound(body: Any) -> type_of_sound:
    track = body["track"]
    return body["playback"], None if track is None else track["id"], body["volume"]


type_of_trouble = Callable[[Ride, random.Random], Awaitable[None]]


def _killed(part: str) -> type_of_trouble:
    async def trouble(ride: Ride, chance: random.Random) -> None:
        await asyncio.to_thread(ride.stage.stack.kill, part)

    return trouble


def _sick(neighbour: str, mode: str, **more: Any) -> type_of_trouble:
    async def trouble(ride: Ride, chance: random.Random) -> None:
        world = ride.stage.world
        await world.sandbox("PUT", f"/_faults/{neighbour}", {"mode": mode, **more})
        await asyncio.sleep(chance.uniform(0.5, 2.0))
        await world.sandbox("PUT", f"/_faults/{neighbour}", {"mode": "ok"})

    return trouble


async def _bad_air(ride: Ride, chance: random.Random) -> None:
    """Pushes are lost, late, doubled and overtaken, and nobody waits for commands."""
    world = ride.stage.world
    await world.sandbox("PUT", f"/taximeter/{ride.driver}", {"wait_ms": 0})
    bad = {"loss_share": 0.5, "delay_ms": 300, "duplicates_share": 0.5, "is_reordered": True}
    await world.sandbox("PUT", "/communications/_air", bad)
    await asyncio.sleep(chance.uniform(1.5, 3.0))
    await world.sandbox("PUT", "/communications/_air", {})
    await world.sandbox("PUT", f"/taximeter/{ride.driver}", {"wait_ms": 25_000})


async def _restarted(ride: Ride, chance: random.Random) -> None:
    await ride.stage.world.sandbox("PUT", f"/taximeter/{ride.driver}", {"restart": True})


async def _offline(ride: Ride, chance: random.Random) -> None:
    await ride.stage.world.sandbox("PUT", f"/taximeter/{ride.driver}", {"offline_s": chance.uniform(0.5, 2.0)})


async def _another_driver(ride: Ride, chance: random.Random) -> None:
    await ride.change_driver()


TROUBLES: dict[str, type_of_trouble] = {
    "music killed": _killed("music"),
    "postgres killed": _killed("postgres"),
    "rabbitmq killed": _killed("rabbitmq"),
    "communications down": _sick("communications", "down"),
    "communications slow": _sick("communications", "slow", delay_ms=1500),
    "the driver's gateway broken": _sick("driver-authproxy", "error", share=0.5),
    "the driver's gateway spoils answers": _sick("driver-authproxy", "truncated", share=0.5),
    "the passenger's gateway slow": _sick("passenger-authorizer", "slow", delay_ms=700),
    "music backend down": _sick("music-backend", "down"),
    "bad air": _bad_air,
    "the taximeter restarted": _restarted,
    "the taximeter offline": _offline,
    "another driver": _another_driver,
}


async def suffer(ride: Ride, chance: random.Random) -> list[str]:
    """Each trouble once, in a random order; their names with their times."""
    names, met = list(TROUBLES), []
    chance.shuffle(names)
    for name in names:
        met.append(f"{time.monotonic():.1f} {name}")
        await TROUBLES[name](ride, chance)
        await asyncio.sleep(chance.uniform(0.5, 2.0))
    return met
