"""Clients that poll, a taximeter that reports, and a second process of music on the same database."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kit import identity, metrics
from music import app
from testkit import neighbours as mocks
from testkit import service
from testkit.waiting import until

PATH = "/4.0/music/v1/player/state"
NEIGHBOURS = ("plus", "music_backend", "communications")
STRANGER = identity.Passenger("4002", flags=frozenset({"portal", "ya-plus"}))
TRACK = {
    "id": "track-1",
    "title": "Группа крови",
    "artists": ["Кино"],
    "album": "Группа крови",
    "duration_ms": 285_000,
    "cover_uri": None,
    "explicit": False,
    "private": True,
}


class Client:
    """The passenger's app and the car's taximeter, talking to one process."""

    def __init__(self, live: service.Live, world: Any) -> None:
        self.live = live
        self.passenger = world.passenger
        self._driver = world.driver
        self._report_seq = itertools.count(1)

    async def polls(
        self,
        known: int | str | None = None,
        *,
        wait_ms: int | None = None,
        order_id: str = "order-1",
        person: identity.Passenger | None = None,
        **headers: str,
    ) -> service.Answer:
        """One poll; `known` is a version, or If-None-Match as it is sent."""
        if known is not None:
            headers["If-None-Match"] = f'"{known}"' if isinstance(known, int) else known
        path = f"{PATH}?order_id={order_id}" + ("" if wait_ms is None else f"&wait_ms={wait_ms}")
        return await self.live.as_passenger(person or self.passenger, "GET", path, **headers)

    async def version(self) -> int:
        """What the poll says."""
        return int((await self.polls()).body["version"])

    async def commands(self, action: str, **args: Any) -> service.Answer:
        """The passenger presses a button."""
        body = {"order_id": "order-1", "command_id": str(uuid.uuid4()), "action": action, "args": args}
        return await self.live.as_passenger(self.passenger, "POST", "/4.0/music/v1/player/command", body)

    async def reports(self, *, session: str = "session-1", applied_seq: int = 0, **state: Any) -> service.Answer:
        """The taximeter says what it plays."""
        playing = {
            "playback": "playing",
            "track": TRACK,
            "position_ms": 1000,
            "position_at": "2026-01-31T09:00:00+00:00",
            "volume": 40,
        }
        body = {
            "order_id": "order-1",
            "device_session": session,
            "report_seq": next(self._report_seq),
            "state": playing | state,
            "applied_seq": applied_seq,
        }
        headers = {
            "X-YaTaxi-Park-Id": self._driver.park_id,
            "X-YaTaxi-Driver-Profile-Id": self._driver.driver_profile_id,
        }
        path = "/driver/v1/music/v1/player/update"
        return await self.live.ask(identity.DRIVER_GATEWAY, "POST", path, body, headers=headers)


@pytest.fixture
async def client(music: service.Live, world: Any) -> Client:
    """Talks to the process."""
    return Client(music, world)


@pytest.fixture
async def other(
    music: service.Live, world: Any, neighbours: mocks.Neighbours, tmp_path: Path, dynamic: Path
) -> AsyncIterator[Client]:
    """Talks to another process on the same database."""
    async with service.started(
        app.SERVICE, dsn=music.dsn, dynamic=dynamic, folder=tmp_path, neighbours=neighbours, names=NEIGHBOURS
    ) as live:
        yield Client(live, world)


async def begun(poll: Any) -> "asyncio.Task[service.Answer]":
    """A poll that waits by now."""
    before = metrics.value("music_polls_waiting")
    task: asyncio.Task[service.Answer] = asyncio.ensure_future(poll)
    await until(lambda: metrics.value("music_polls_waiting") > before or task.done())
    assert not task.done(), task.result()
    return task


def reads(source: str) -> float:
    """How many reads of players came from memory or database."""
    return metrics.value("cache_reads_total", cache="players", source=source)
