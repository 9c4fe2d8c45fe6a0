"""One ride with music, spoken to at the API of any process of music by all who take part in it.

The world around is left out: whoever plays the passenger or the taximeter here decides alone what is said and when.
"""

import contextlib
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from kit import clock

MUSIC = "music"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `etag` is the version that the header names."""

    status: int
    body: Any
    etag: int | None


@dataclass
class Ride:
    """A ride of the passenger `yandex_uid` with one driver; `process` is which process of music is asked."""

    stack: Mapping[str, Any]
    http: aiohttp.ClientSession
    order_id: str = field(default_factory=lambda: secrets.token_hex(16))
    yandex_uid: str = field(default_factory=lambda: str(4_100_000_000 + secrets.randbelow(10**8)))
    driver_profile_id: str = field(default_factory=lambda: secrets.token_hex(16))
    device_session: str = field(default_factory=lambda: secrets.token_hex(8))
    reports: int = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def begun(cls, stack: Mapping[str, Any]) -> AsyncIterator["Ride"]:
        """A ride whose driver was just assigned, with a player."""
        # Waiting polls are many at once, and each has a connection of its own.
        connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=40)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            ride = cls(stack, http)
            opened = await ride.told("create", event_seq=1, passenger=ride.passenger, driver=ride.driver)
            if opened.status != 200 or not opened.body["player_id"]:
                raise AssertionError(f"no player was opened: {opened}")
            yield ride

    @property
    def passenger(self) -> dict[str, Any]:
        """As processing names the passenger."""
        return {"yandex_uid": self.yandex_uid, "flags": ["portal", "ya-plus"], "city": "moscow"}

    @property
    def driver(self) -> dict[str, Any]:
        """As processing names the driver."""
        return {"park_id": "park-1", "driver_profile_id": self.driver_profile_id, "application_version": "9.70"}

    async def told(self, what: str, process: str = MUSIC, **event: Any) -> Answer:
        """An event of processing: `create` or `close`."""
        path = f"/internal/music/v1/player/{what}"
        return await self._ask(process, "processing", "POST", path, {"order_id": self.order_id, **event})

    async def polled(self, process: str = MUSIC, *, version: int | None = None, wait_ms: int | None = None) -> Answer:
        """The passenger's screen; `version` is what the client has."""
        path = f"/4.0/music/v1/player/state?order_id={self.order_id}"
        path += "" if wait_ms is None else f"&wait_ms={wait_ms}"
        known = {} if version is None else {"If-None-Match": f'"{version}"'}
        return await self._ask(process, "passenger-authorizer", "GET", path, headers=self._as_passenger() | known)

    async def asked_for(self, action: str, process: str = MUSIC, **args: Any) -> Answer:
        """A command of the passenger."""
        body = {"order_id": self.order_id, "command_id": str(uuid.uuid4()), "action": action, "args": args}
        return await self._ask(
            process,
            "passenger-authorizer",
            "POST",
            "/4.0/music/v1/player/command",
            body,
            headers=self._as_passenger(),
        )

    async def reported(self, process: str = MUSIC, *, title: str) -> Answer:
        """A report of the taximeter: it plays the track of this title, and has done no command."""
        self.reports += 1
        body = {
            "order_id": self.order_id,
            "device_session": self.device_session,
            "report_seq": self.reports,
            "state": _playing(title),
            "applied_seq": 0,
            "results": [],
        }
        return await self._ask(
            process, "driver-authproxy", "POST", "/driver/v1/music/v1/player/update", body, headers=self._as_driver()
        )

    async def pulled(self, process: str = MUSIC, *, after_seq: int, wait_ms: int) -> Answer:
        """The commands that wait for the taximeter."""
        path = f"/driver/v1/music/v1/player/commands?order_id={self.order_id}&after_seq={after_seq}&wait_ms={wait_ms}"
        return await self._ask(process, "driver-authproxy", "GET", path, headers=self._as_driver())

    def _as_passenger(self) -> dict[str, str]:
        return {"X-Yandex-UID": self.yandex_uid, "X-YaTaxi-Pass-Flags": "portal,ya-plus"}

    def _as_driver(self) -> dict[str, str]:
        return {
            "X-YaTaxi-Park-Id": "park-1",
            "X-YaTaxi-Driver-Profile-Id": self.driver_profile_id,
            "X-Request-Application": "taximeter",
            "X-Request-Application-Version": "9.70",
        }

    async def _ask(
        self, process: str, caller: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        url = self.stack["services"][process]["api"] + path
        sent = {"X-Ya-Service-Ticket": self.stack["tickets"][caller], **headers}
        async with self.http.request(method, url, json=body, headers=sent) as response:
            raw = await response.read()
            etag = response.headers.get("ETag", "").strip('"')
            return Answer(response.status, json.loads(raw) if raw else None, int(etag) if etag else None)


def _playing(title: str) -> dict[str, Any]:
    track = {
        "id": title.replace(" ", "-"),
        "title": title,
        "artists": ["Кино"],
        "album": "Группа крови",
        "duration_ms": 285_000,
    }
    return {
        "playback": "playing",
        "track": track | {"cover_uri": "https://avatars.example/1", "explicit": False, "private": False},
        "position_ms": 0,
        "position_at": clock.to_wire(clock.now()),
        "volume": 50,
        "context": {"type": "album", "id": "album-1", "title": "Группа крови"},
        "disallows": [],
    }
