"""music in a test: its routes on a port, its database, its neighbours mocked on the wire."""

import datetime
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit import identity
from music import app
from testkit import clock, service
from testkit import neighbours as mocks

CONFIG = Path(__file__).parents[3] / "deploy/local/config/music.yaml"
NEIGHBOURS = ("plus", "music_backend", "communications")
PASSENGER = identity.Passenger("4001", phone_id="phone-1", flags=frozenset({"portal", "ya-plus"}))
DRIVER = identity.Driver("park-1", "driver-1", "taximeter", "9.70")
STATE = {
    "playback": "playing",
    "track": {"id": "track-1", "title": "Группа крови", "artists": ["Кино"], "duration_ms": 180_000},
    "position_ms": 0,
    "volume": 50,
}


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    """The dynamic config, of which `world.configured` changes what it likes."""
    return Path(shutil.copyfile(CONFIG, tmp_path / "dynamic.yaml"))


@pytest.fixture
async def music(
    make_database: Callable[..., Any], neighbours: mocks.Neighbours, tmp_path: Path, dynamic: Path
) -> AsyncIterator[service.Live]:
    """A started music."""
    async with (
        make_database(app.SERVICE.streams) as dsn,
        service.started(
            app.SERVICE, dsn=dsn, dynamic=dynamic, folder=tmp_path, neighbours=neighbours, names=NEIGHBOURS
        ) as live,
    ):
        yield live


class World(service.World):
    """music with its neighbours, and the few sentences that most tests begin with."""

    def __init__(self, music: service.Live, neighbours: mocks.Neighbours) -> None:
        super().__init__(music, neighbours)
        self.music = music
        self.passenger, self.driver = PASSENGER, DRIVER
        self.report_seq = 0
        neighbours.plus.on(
            "GET",
            "/internal/v1/subscriptions/status",
            answer={"has_plus": True, "has_plus_multi": False, "subscriptions": []},
        )
        neighbours.communications.on("POST", "/v1/driver-push", answer={"push_id": "push-1"})

    async def as_driver(
        self, method: str, path: str, body: Any = None, driver: identity.Driver = DRIVER
    ) -> service.Answer:
        """A call of a taximeter, as driver-authproxy passes it on."""
        headers = {"X-YaTaxi-Park-Id": driver.park_id, "X-YaTaxi-Driver-Profile-Id": driver.driver_profile_id}
        return await self.music.ask(
            identity.DRIVER_GATEWAY, method, f"/driver/v1/music/v1/player/{path}", body, headers=headers
        )

    async def as_passenger(self, method: str, path: str, body: Any = None, **headers: str) -> service.Answer:
        """A call of the passenger's app."""
        return await self.music.as_passenger(self.passenger, method, f"/4.0/music/v1/player/{path}", body, **headers)

    def assignment(self, order_id: str = "order-1", event_seq: int = 1, **driver: str) -> dict[str, Any]:
        """What processing says when a driver was found."""
        return {
            "order_id": order_id,
            "event_seq": event_seq,
            "passenger": {
                "yandex_uid": "4001",
                "flags": ["portal", "ya-plus"],
                "phone_id": "phone-1",
                "city": "moscow",
            },
            "driver": {"park_id": "park-1", "driver_profile_id": "driver-1", "application_version": "9.70"} | driver,
        }

    async def opened(self, order_id: str = "order-1") -> str:
        """An active player of the passenger, made behind the service's back; its id."""
        await self.execute(
            "INSERT INTO players.players (player_id, order_id, yandex_uid, park_id, driver_profile_id) "
            "VALUES (%(player_id)s, %(order_id)s, '4001', 'park-1', 'driver-1')",
            player_id=f"player-of-{order_id}",
            order_id=order_id,
        )
        return f"player-of-{order_id}"

    async def pass_time(self, *schemas: str, **span: float) -> None:
        """Lets time pass for these schemas, for all of music's by default: `seconds=16`."""
        await clock.advance(
            self.music.dsn, datetime.timedelta(**span), schemas=schemas or ("players", "orders", "commands", "tokens")
        )

    async def rows(self, sql: str, **args: Any) -> list[dict[str, Any]]:
        """What the database says."""
        found: list[dict[str, Any]] = await self.music.context.db.all(dict, sql, **args)
        return found

    async def press(self, action: str = "next", args: Any = None, **changed: Any) -> service.Answer:
        """The passenger presses a button of order-1."""
        body = {"order_id": "order-1", "command_id": str(uuid.uuid4()), "action": action, "args": args or {}}
        return await self.as_passenger("POST", "command", body | changed)

    async def reports(self, *results: Any, applied_seq: int = 0, **changed: Any) -> service.Answer:
        """The taximeter reports what became of commands, and a song that plays; `state` changes a part of that."""
        self.report_seq += 1
        state = STATE | {"position_at": datetime.datetime.now(datetime.UTC).isoformat()} | changed.pop("state", {})
        body = {
            "order_id": "order-1",
            "device_session": "session-1",
            "report_seq": self.report_seq,
            "state": state,
            "applied_seq": applied_seq,
            "results": [result if isinstance(result, dict) else _applied(result) for result in results],
        }
        return await self.as_driver("POST", "update", body | changed)

    async def pulls(self, after_seq: int = 0, wait_ms: int = 0) -> service.Answer:
        """The taximeter pulls."""
        query = f"order_id=order-1&after_seq={after_seq}&wait_ms={wait_ms}"
        return await self.as_driver("GET", f"commands?{query}")

    async def closes(self, reason: str = "complete", order_id: str = "order-1") -> None:
        """Processing says that the order is over."""
        body = {"order_id": order_id, "event_seq": 1000, "reason": reason}
        answer = await self.music.ask("processing", "POST", "/internal/music/v1/player/close", body)
        assert answer.status == 200, answer


def _applied(seq: int) -> dict[str, Any]:
    return {"seq": seq, "result": "applied"}


@pytest.fixture
async def world(music: service.Live, neighbours: mocks.Neighbours) -> World:
    """music with willing neighbours."""
    return World(music, neighbours)
