"""What is asked of music: by the passenger, the taximeter and order processing, each with its gateway's word for it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PASSENGER, TAXIMETER, PROCESSING = "passenger-authorizer", "driver-authproxy", "processing"
_VERSION = "9.99"
_TRACK = {
    "title": "Песня",
    "artists": ["Исполнитель"],
    "album": "Альбом",
    "duration_ms": 200_000,
    "cover_uri": None,
    "explicit": False,
    "private": False,
}


class Driver(NamedTuple):
    """Who drives."""

    park_id: str
    profile_id: str

    @classmethod
    def new(cls) -> "Driver":
        """Somebody unknown so far."""
        return cls(f"park-{secrets.token_hex(3)}", f"driver-{secrets.token_hex(4)}")


@dataclass(frozen=True, slots=True)
class Request:
    """One call: `caller` names the ticket that it brings."""

    caller: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def headers_with(self, tickets: Mapping[str, str]) -> dict[str, str]:
        """All that is sent beside the body."""
        return {"X-Ya-Service-Ticket": tickets[self.caller], **self.headers}


def state(order_id: str, yandex_uid: str, *, known: int | None = None, wait_ms: int = 0) -> Request:
    """What the passenger sees; `known` is the version that is not wanted again."""
    headers = _passenger(yandex_uid) | ({} if known is None else {"If-None-Match": f'"{known}"'})
    path = f"/4.0/music/v1/player/state?order_id={order_id}" + (f"&wait_ms={wait_ms}" if wait_ms else "")
    return Request(PASSENGER, "GET", path, headers=headers)


def command(order_id: str, yandex_uid: str, command_id: str, action: str, args: Mapping[str, Any]) -> Request:
    """The passenger presses a button."""
    body = {"order_id": order_id, "command_id": command_id, "action": action, "args": dict(args)}
    return Request(PASSENGER, "POST", "/4.0/music/v1/player/command", body, _passenger(yandex_uid))


def update(driver: Driver, body: Mapping[str, Any]) -> Request:
    """The taximeter reports."""
    return Request(TAXIMETER, "POST", "/driver/v1/music/v1/player/update", dict(body), _driver(driver))


def commands(driver: Driver, order_id: str, *, after_seq: int = 0, wait_ms: int = 0) -> Request:
    """The taximeter pulls."""
    path = f"/driver/v1/music/v1/player/commands?order_id={order_id}&after_seq={after_seq}&wait_ms={wait_ms}"
    return Request(TAXIMETER, "GET", path, headers=_driver(driver))


def token(driver: Driver, order_id: str) -> Request:
    """The taximeter asks for the key to the passenger's music."""
    return Request(TAXIMETER, "POST", "/driver/v1/music/v1/player/token", {"order_id": order_id}, _driver(driver))


def create(event: Mapping[str, Any]) -> Request:
    """Processing tells of an assignment."""
    return Request(PROCESSING, "POST", "/internal/music/v1/player/create", dict(event))


def close(event: Mapping[str, Any]) -> Request:
    """Processing tells of an end."""
    return Request(PROCESSING, "POST", "/internal/music/v1/player/close", dict(event))


def assigned(order_id: str, event_seq: int, yandex_uid: str, driver: Driver) -> dict[str, Any]:
    """The event of an assignment."""
    return {
        "order_id": order_id,
        "event_seq": event_seq,
        "passenger": {"yandex_uid": yandex_uid, "flags": ["portal", "ya-plus"]},
        "driver": {
            "park_id": driver.park_id,
            "driver_profile_id": driver.profile_id,
            "application_version": _VERSION,
        },
    }


def finished(order_id: str, event_seq: int) -> dict[str, Any]:
    """The event of an end."""
    return {"order_id": order_id, "event_seq": event_seq, "reason": "complete"}


def played(playback: str, track_id: str, volume: int, at: str) -> dict[str, Any]:
    """What the speakers do, as a taximeter says it."""
    return {
        "playback": playback,
        "track": {"id": track_id, **_TRACK},
        "position_ms": 0,
        "position_at": at,
        "volume": volume,
        "context": None,
        "disallows": [],
    }


def results(applied: Sequence[int], failed: Sequence[int] = ()) -> list[dict[str, Any]]:
    """What became of commands, in their order."""
    found: dict[int, dict[str, Any]] = {seq: {"seq": seq, "result": "applied"} for seq in applied}
    found |= {seq: {"seq": seq, "result": "failed", "reason": "no_licence"} for seq in failed}
    return [found[seq] for seq in sorted(found)]


def _passenger(yandex_uid: str) -> dict[str, str]:
    return {
        "X-Yandex-UID": yandex_uid,
        "X-YaTaxi-UserId": f"user-{yandex_uid}",
        "X-YaTaxi-PhoneId": f"phone-{yandex_uid}",
        "X-YaTaxi-User": f"personal_phone_id=personal-{yandex_uid}",
        "X-YaTaxi-Pass-Flags": "portal,ya-plus",
        "X-Request-Language": "en",
    }


def _driver(driver: Driver) -> dict[str, str]:
    return {
        "X-YaTaxi-Park-Id": driver.park_id,
        "X-YaTaxi-Driver-Profile-Id": driver.profile_id,
        "X-Request-Application": "taximeter",
        "X-Request-Application-Version": _VERSION,
    }
