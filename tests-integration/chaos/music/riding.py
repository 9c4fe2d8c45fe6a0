"""A ride with music: its passenger, its taximeters and order processing, each a good client of music's API."""

import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from chaos.music import requests
from chaos.music.requests import Driver, Request
from chaos.stage import Stage
from journeys.world import Answer, StepFailed, expect
from kit import clock
from testkit.waiting import until

_PATIENCE_S = 45.0


async def ask(stage: Stage, request: Request) -> Answer:
    """The answer, asked again until there is one."""
    world = stage.world
    headers = request.headers_with(world.stack["tickets"])
    return await world.ask(request.method, world.url("music") + request.path, request.body, headers)


async def publish(stage: Stage, queue: str, event: Mapping[str, Any]) -> str:
    """Has another service send an event through RabbitMQ; its task's id."""
    task_id = f"from-outside-{secrets.token_hex(4)}"
    body = {"message_id": task_id, "task_id": task_id, "queue": queue, "kwargs": dict(event)}
    await until(lambda: stage.broker.is_connected, timeout_s=20)
    await stage.broker.publish(queue, orjson.dumps(body), message_id=task_id)
    return task_id


@dataclass
class Taximeter:
    """One driver's device in one ride: it plays what it is told, and says so."""

    stage: Stage
    order_id: str
    driver: Driver
    session: str = field(default_factory=lambda: f"session-{secrets.token_hex(4)}")
    report_seq: int = 0
    applied_seq: int = 0
    playback: str = "stopped"
    volume: int = 50

    async def report(self, applied: tuple[int, ...] = (), failed: tuple[int, ...] = ()) -> list[dict[str, Any]]:
        """Says what plays and what became of commands; those that are still open."""
        self.report_seq += 1
        self.applied_seq = max((self.applied_seq, *applied, *failed))
        answer = await ask(self.stage, requests.update(self.driver, self.said(applied, failed)))
        return list(expect(answer, 200)["commands"])

    def said(self, applied: tuple[int, ...] = (), failed: tuple[int, ...] = ()) -> dict[str, Any]:
        """The report as it is now."""
        return {
            "order_id": self.order_id,
            "device_session": self.session,
            "report_seq": self.report_seq,
            "state": requests.played(self.playback, self.session, self.volume, clock.to_wire(clock.now())),
            "applied_seq": self.applied_seq,
            "results": requests.results(applied, failed),
        }

    async def pull(self) -> list[dict[str, Any]]:
        """The open commands that it has not applied."""
        asked = requests.commands(self.driver, self.order_id, after_seq=self.applied_seq, wait_ms=200)
        return list(expect(await ask(self.stage, asked), 200)["commands"])

    async def play_until(self, seq: int) -> None:
        """Pulls and does what it is told until this command is done."""

        async def does() -> bool:
            for each in await self.pull():
                self.do(each)
                await self.report((each["seq"],))
            return self.applied_seq >= seq

        await until(does, timeout_s=_PATIENCE_S, period_s=0.05)

    def do(self, told: Mapping[str, Any]) -> None:
        """Does it."""
        match told["action"]:
            case "play" | "next" | "previous" | "play_item":
                self.playback = "playing"
            case "pause":
                self.playback = "paused"
            case "set_volume":
                self.volume = told["args"]["volume"]

    async def token(self) -> str:
        """The key to the passenger's music."""
        answer = expect(await ask(self.stage, requests.token(self.driver, self.order_id)), 200)
        self.stage.world.keep_secret(answer["token"])
        return str(answer["token"])


@dataclass
class Ride:
    """One order from processing's and the passenger's side; `versions` are those that the passenger saw."""

    stage: Stage
    order_id: str
    yandex_uid: str
    driver: Driver
    event_seq: int = 0
    version: int = 0

    @classmethod
    def new(cls, stage: Stage) -> "Ride":
        """An order that nobody has told music of."""
        return cls(stage, f"order-{secrets.token_hex(6)}", str(4 * 10**9 + secrets.randbelow(10**9)), Driver.new())

    @classmethod
    async def begun(cls, stage: Stage) -> tuple["Ride", Taximeter]:
        """A ride whose player is there and whose taximeter has reported."""
        ride = cls.new(stage)
        await ride.assign()
        taximeter = ride.taximeter()
        await taximeter.report()
        return ride, taximeter

    def taximeter(self) -> Taximeter:
        """The device of who drives now."""
        return Taximeter(self.stage, self.order_id, self.driver)

    async def assign(self, *, by_message: bool = False) -> None:
        """Processing tells that this driver comes."""
        self.event_seq += 1
        event = requests.assigned(self.order_id, self.event_seq, self.yandex_uid, self.driver)
        if by_message:
            await publish(self.stage, "music.order.driver_assigned", event)
            await self.seen(lambda body: body["connection"] == "connecting")
        elif expect(await ask(self.stage, requests.create(event)), 200)["player_id"] is None:
            raise StepFailed(f"no player for {self.order_id}")

    async def finish(self, *, by_message: bool = False) -> None:
        """Processing tells that the ride is over; returns when the passenger sees so."""
        self.event_seq += 1
        event = requests.finished(self.order_id, self.event_seq)
        if by_message:
            await publish(self.stage, "music.order.finished", event)
        else:
            expect(await ask(self.stage, requests.close(event)), 200)
        await self.gone("closed")

    async def look(self) -> Any:
        """What the passenger sees now, None without a player. StepFailed when the version went back."""
        answer = await ask(self.stage, requests.state(self.order_id, self.yandex_uid))
        if answer.status == 406:
            return None
        body = expect(answer, 200)
        if body["version"] < self.version:
            raise StepFailed(f"version {body['version']} of {self.order_id} after {self.version}")
        self.version = body["version"]
        return body

    async def seen(self, wanted: Callable[[Any], bool]) -> Any:
        """Looks until the player is as it is wanted."""

        async def looked() -> Any:
            body = await self.look()
            return body if body is not None and wanted(body) else None

        return await until(looked, timeout_s=_PATIENCE_S, period_s=0.05)

    async def gone(self, reason: str) -> None:
        """Looks until there is no player, for this reason."""

        async def is_gone() -> bool:
            answer = await ask(self.stage, requests.state(self.order_id, self.yandex_uid))
            return answer.status == 406 and answer.body["details"]["reason"] == reason

        await until(is_gone, timeout_s=_PATIENCE_S, period_s=0.05)

    async def steer(self, action: str, **args: Any) -> int:
        """The passenger presses a button, with one id until there is an answer; the command's number."""
        command_id = str(uuid.uuid4())
        asked = requests.command(self.order_id, self.yandex_uid, command_id, action, args)
        seq = int(expect(await ask(self.stage, asked), 200)["seq"])
        self.stage.world.accepted[self.order_id, command_id] = seq
        return seq
