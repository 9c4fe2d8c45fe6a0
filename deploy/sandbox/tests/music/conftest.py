"""A small music for the sandbox to call: it opens players, hands out commands, and keeps what it was told."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import test_utils, web

from kit import tickets

DRIVER = "/driver/v1/music/v1/player"
INTERNAL = "/internal/music/v1"


@dataclass
class Player:
    """One player: the commands that are open, the reports that came, and the results by seq."""

    player_id: str
    driver_id: str
    commands: dict[int, dict[str, Any]] = field(default_factory=dict)
    reports: list[dict[str, Any]] = field(default_factory=list)
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    last_seq: int = 0
    is_closed: bool = False

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.reports[-1]["state"])


@dataclass
class Music:
    """Players by order, the newest last; `queued` answers of a path go first; `seen` is every call but polls."""

    verifier: tickets.Verifier
    ticket: str
    url: str = ""
    backend_url: str = ""
    players: dict[str, list[Player]] = field(default_factory=dict)
    queued: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    seen: list[tuple[str, str, str, Mapping[str, str], Any]] = field(default_factory=list)
    ttl_s: int = 600
    waiting: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, path: str, status: int, code: str = "failed", times: int = 1) -> None:
        self.queued.setdefault(path, []).extend([(status, {"code": code, "message": "-"})] * times)

    def to(self, path: str) -> list[tuple[str, str, str, Mapping[str, str], Any]]:
        return [call for call in self.seen if call[1] == path]

    def player(self, order_id: str) -> Player:
        return self.players[order_id][-1]

    def command(self, order_id: str, action: str, life_s: float = 15.0, **args: Any) -> int:
        player = self.player(order_id)
        player.last_seq += 1
        body = {"seq": player.last_seq, "command_id": f"{order_id}-{player.last_seq}", "action": action, "args": args}
        player.commands[player.last_seq] = body | {"life_s": life_s, "expires_at": "2099-01-01T00:00:00+00:00"}
        self.wake()
        return player.last_seq

    def close(self, order_id: str) -> None:
        self.player(order_id).is_closed = True
        self.wake()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        caller = self.verifier.verify(request.headers.get("X-Ya-Service-Ticket"))
        raw = await request.read()
        body = json.loads(raw) if raw else dict(request.query)
        self.seen.append((caller, request.path, request.method, request.headers.copy(), body))
        queue = self.queued.get(request.path)
        status, payload = queue.pop(0) if queue else await self._answer(request.path, request.headers, body)
        return web.json_response(payload, status=status)

    async def _answer(self, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, Any]:
        if path == f"{INTERNAL}/totw":
            return 200, {"enabled": True, "poll_from_status": "transporting", "polling_interval_ms": 1000}
        if path == f"{INTERNAL}/player/create":
            opened = self.players.setdefault(body["order_id"], [])
            for player in opened:
                player.is_closed = True
            player_id = f"{body['order_id']}-p{len(opened) + 1}"
            opened.append(Player(player_id, body["driver"]["driver_profile_id"]))
            self.wake()
            return 200, {"player_id": opened[-1].player_id, "reason": None}
        if path == f"{INTERNAL}/player/close":
            self.close(body["order_id"])
            return 200, {}
        return await self._driver(path.removeprefix(DRIVER + "/"), headers["X-YaTaxi-Driver-Profile-Id"], body)

    async def _driver(self, verb: str, driver_id: str, body: Any) -> tuple[int, Any]:
        player = self._of(body["order_id"], driver_id)
        if player is None:
            return 403, {"code": "not_your_player", "message": "-"}
        if verb == "commands":
            await self._wait(player, int(body["after_seq"]), int(body["wait_ms"]))
        if player.is_closed:
            return 410, {"code": "player_closed", "message": "-"}
        if verb == "token":
            return 200, await self._token(player, body["order_id"])
        if verb == "update":
            player.reports.append(body)
            for result in body["results"]:
                player.results.setdefault(result["seq"], result)
        after = int(body.get("after_seq", 0))
        found = [player.commands[seq] for seq in sorted(player.commands) if seq > after and seq not in player.results]
        return 200, {"version": 1, "commands": [one | {"expires_in_ms": one["life_s"] * 1000} for one in found]}

    def _of(self, order_id: str, driver_id: str) -> Player | None:
        found = [player for player in self.players.get(order_id, []) if player.driver_id == driver_id]
        return found[-1] if found else None

    async def _wait(self, player: Player, after: int, wait_ms: int) -> None:
        self.waiting += bool(wait_ms)
        try:
            async with asyncio.timeout(wait_ms / 1000):
                while not player.is_closed and not any(seq > after for seq in player.commands):
                    await self.changed.wait()
        except TimeoutError:
            pass
        finally:
            self.waiting -= bool(wait_ms)

    async def _token(self, player: Player, order_id: str) -> Any:
        number = len(self.to(f"{DRIVER}/token"))
        asked = {"id": f"{player.player_id}-{number}", "yandex_uid": "4001", "order_id": order_id, "ttl_s": self.ttl_s}
        asked |= {"park_id": "demo-park", "driver_profile_id": player.driver_id}
        url = f"{self.backend_url}/music-backend/v1/temporary-tokens"
        headers = {"X-Ya-Service-Ticket": self.ticket}
        async with aiohttp.ClientSession() as http, http.post(url, json=asked, headers=headers) as response:
            found = await response.json()
            return {"token": found["token"], "expires_at": found["expires_at"]}


@pytest.fixture
async def music(keys: Any) -> AsyncIterator[Music]:
    fake = Music(tickets.Verifier(keys.jwks), keys.tickets["music"])
    site = web.Application()
    site.router.add_route("*", "/{tail:.*}", fake.serve)
    async with test_utils.TestServer(site) as server:
        fake.url = str(server.make_url("")).rstrip("/")
        yield fake


@pytest.fixture
def launch(music: Music, start: Any) -> Callable[..., Awaitable[Any]]:
    """Starts a sandbox, again with the same path as after a restart; it ends before music does."""

    async def run(path: Path | None = None) -> Any:
        sandbox = await start(path, services={"music": music.url})
        music.backend_url = sandbox.url
        return sandbox

    return run


@dataclass
class Ride:
    """One ride of a person with a driver, and short ways to look into its taximeter."""

    sandbox: Any
    music: Music
    order_id: str
    driver_id: str

    @property
    def player(self) -> Player:
        return self.music.player(self.order_id)

    async def heard(self) -> dict[str, Any]:
        return dict(await self.sandbox.ok("GET", f"/taximeter/{self.driver_id}", None))

    async def change(self, **changes: Any) -> dict[str, Any]:
        return dict(await self.sandbox.ok("PUT", f"/taximeter/{self.driver_id}", None, json=changes))

    async def handled(self) -> list[tuple[int, str, str | None]]:
        return [(one["seq"], one["result"], one.get("reason")) for one in (await self.heard())["handled"]]

    def command(self, action: str, life_s: float = 15.0, **args: Any) -> int:
        return self.music.command(self.order_id, action, life_s, **args)

    def play(self, kind: str, item_id: str, **args: Any) -> int:
        return self.command("play_item", type=kind, id=item_id, **args)

    async def push(self, up_to_seq: int, token: str, **changes: Any) -> tuple[int, Any]:
        payload = {"order_id": self.order_id, "player_id": self.player.player_id, "up_to_seq": up_to_seq}
        body = {"park_id": "demo-park", "driver_profile_id": self.driver_id, "code": "music_commands", "ttl_s": 15}
        body |= {"idempotency_token": token, "payload": payload}
        status, answer = await self.sandbox.call("POST", "/communications/v1/driver-push", "music", json=body | changes)
        return status, answer


@pytest.fixture
def begin(music: Music) -> Callable[..., Awaitable[Ride]]:
    """Makes a person with Plus, a driver and an order of the two."""

    async def run(sandbox: Any, driver_id: str = "driver-1") -> Ride:
        person = await sandbox.person(yandex_uid="4001", has_plus=True)
        await sandbox.ok("POST", "/_drivers", None, json={"driver_profile_id": driver_id})
        body = {"session": person["session"], "driver_profile_id": driver_id}
        order = await sandbox.ok("POST", "/processing/plain_orders", None, json=body)
        return Ride(sandbox, music, order["order_id"], driver_id)

    return run


@pytest.fixture
async def ride(launch: Any, begin: Any) -> Ride:
    """A ride whose taximeter music has served."""
    found: Ride = await begin(await launch())
    return found
