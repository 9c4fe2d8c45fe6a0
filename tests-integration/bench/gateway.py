"""The bytes of requests, as gateways and services send them."""

import datetime
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kit import tickets

_TTL_S = 86_400.0
STATE_PATH = "/4.0/music/v1/player/state"
COMMAND_PATH = "/4.0/music/v1/player/command"
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True, slots=True)
class Ride:
    """An order with its passenger and driver."""

    number: int

    @property
    def order_id(self) -> str:
        return f"{self.number:032x}"

    @property
    def yandex_uid(self) -> str:
        return str(4_000_000_000 + self.number)

    @property
    def driver(self) -> dict[str, str]:
        return {"park_id": "p" * 32, "driver_profile_id": f"d{self.number:031x}"}


class Gateway:
    """Whoever sends requests to music, with the tickets of all of them."""

    def __init__(self, key: str) -> None:
        callers = ("passenger-authorizer", "driver-authproxy", "processing")
        self._tickets = {caller: tickets.issue(key, caller, _TTL_S) for caller in callers}

    def poll(self, ride: Ride, etag: str | None = None, wait_ms: int | None = None) -> bytes:
        """A poll of the passenger's app; with `etag` for changes alone, with `wait_ms` until there is one."""
        wait = "" if wait_ms is None else f"&wait_ms={wait_ms}"
        known = {} if etag is None else {"If-None-Match": etag}
        return self._passenger("GET", f"{STATE_PATH}?order_id={ride.order_id}{wait}", ride, known, None)

    def commands(self, rides: list[Ride]) -> Iterator[bytes]:
        """Commands of one passenger after another, each new, without end: the bytes but for the id are made once."""
        unknown = str(uuid.UUID(int=0))
        made = [self.command(ride, unknown).partition(unknown.encode()) for ride in rides]
        while True:
            for head, _, rest in made:
                yield b"%b%b%b" % (head, str(uuid.uuid4()).encode(), rest)

    def command(self, ride: Ride, command_id: str) -> bytes:
        """The passenger skips a track."""
        body = {"order_id": ride.order_id, "command_id": command_id, "action": "next", "args": {}}
        return self._passenger("POST", COMMAND_PATH, ride, {}, body)

    def assignment(self, ride: Ride) -> bytes:
        """Processing found a driver."""
        body = {
            "order_id": ride.order_id,
            "event_seq": 1,
            "passenger": {"yandex_uid": ride.yandex_uid, "flags": ["portal", "ya-plus"], "city": "moscow"},
            "driver": {**ride.driver, "application_version": "9.70"},
        }
        return self._bytes("POST", "/internal/music/v1/player/create", "processing", {}, body)

    def report(self, ride: Ride) -> bytes:
        """The taximeter plays a song."""
        track = {
            "id": f"track-{ride.number}",
            "title": "Группа крови",
            "artists": ["Кино"],
            "album": "Группа крови",
            "duration_ms": 286_000,
            "cover_uri": "avatars.example/get-music-content/32236/a1b2c3d4.a.1234567-1/400x400",
        }
        state = {
            "playback": "playing",
            "track": track,
            "position_ms": 1_000,
            "position_at": datetime.datetime.now(datetime.UTC).isoformat(),
            "volume": 50,
            "context": {"type": "album", "id": "album-1", "title": "Группа крови"},
        }
        body = {
            "order_id": ride.order_id,
            "device_session": "s" * 32,
            "report_seq": 1,
            "state": state,
            "applied_seq": 0,
        }
        named = {
            "X-YaTaxi-Park-Id": ride.driver["park_id"],
            "X-YaTaxi-Driver-Profile-Id": ride.driver["driver_profile_id"],
        }
        return self._bytes("POST", "/driver/v1/music/v1/player/update", "driver-authproxy", named, body)

    def _passenger(self, method: str, path: str, ride: Ride, headers: Mapping[str, str], body: Any) -> bytes:
        named = {
            "X-Yandex-UID": ride.yandex_uid,
            "X-YaTaxi-UserId": "a" * 32,
            "X-YaTaxi-PhoneId": "b" * 24,
            "X-YaTaxi-User": "personal_phone_id=" + "c" * 32,
            "X-YaTaxi-Pass-Flags": "portal,ya-plus",
            "X-Request-Language": "ru",
        }
        return self._bytes(method, path, "passenger-authorizer", named | dict(headers), body)

    def _bytes(self, method: str, path: str, caller: str, headers: Mapping[str, str], body: Any) -> bytes:
        sent = {
            "Host": "music",
            tickets.HEADER: self._tickets[caller],
            "X-YaRequestId": "e" * 32,
            "traceparent": _TRACE,
        }
        content = b"" if body is None else json.dumps(body).encode()
        if content:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (sent | dict(headers)).items())]
        return "\r\n".join([*lines, "", ""]).encode() + content
