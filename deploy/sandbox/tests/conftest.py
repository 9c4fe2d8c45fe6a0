"""The sandbox in this process on a real port, and a small maas for it to call."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
from aiohttp import test_utils, web

from kit import tickets
from sandbox import __main__ as process
from sandbox import app, callers, state, world

CALLERS = ("maas", "music", *process.CALLERS)
API_KEY = "vtb-1.key"
GOOD_VERDICT = {"valid": True, "valid_any": True}
RIDES = {"total": 10, "used": 0, "held": 1, "left": 9}


@dataclass(frozen=True)
class Keys:
    """A key pair on disk and one ticket per caller."""

    jwks: Path
    tickets: Mapping[str, str]


@dataclass(frozen=True)
class Seen:
    """One call that the small maas received; through the edge `caller` is the API key."""

    method: str
    path: str
    caller: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Maas:
    """Answers by path what the test queued, then what `answers` says, else the usual; keeps what it saw."""

    verifier: tickets.Verifier
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    queued: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)

    def answer(self, path: str, status: int, body: Any, times: int = 1) -> None:
        self.queued.setdefault(path, []).extend([(status, body)] * times)

    def to(self, path: str) -> list[Seen]:
        return [call for call in self.seen if call.path == path]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        is_edge = request.path.startswith("/maas-authproxy/")
        headers = request.headers
        caller = headers["X-API-Key"] if is_edge else self.verifier.verify(headers.get("X-Ya-Service-Ticket"))
        body = json.loads(raw) if raw else None
        self.seen.append(Seen(request.method, request.rel_url.raw_path_qs, caller, request.headers.copy(), body))
        queue = self.queued.get(request.path)
        status, payload = queue.pop(0) if queue else (200, self._usual(request.path, body))
        return web.json_response(payload, status=status, headers={"X-Secret": "inside"})

    def _usual(self, path: str, body: Any) -> Any:
        if path in self.answers:
            return self.answers[path]
        if path.endswith("check-promocode"):
            return GOOD_VERDICT
        states = {"hold": "held", "complete": "used", "release": "released"}
        word = path.rsplit("/", 1)[-1]
        return {"order_id": (body or {}).get("order_id"), "state": states.get(word, "other"), "rides": RIDES}


@dataclass(frozen=True)
class Sandbox:
    """The running sandbox and short ways to call it."""

    url: str
    world: world.World
    http: aiohttp.ClientSession
    keys: Keys

    async def call(self, method: str, path: str, caller: str | None = "maas", **kwargs: Any) -> tuple[int, Any]:
        headers = dict(kwargs.pop("headers", {}))
        if caller is not None:
            headers["X-Ya-Service-Ticket"] = self.keys.tickets[caller]
        async with self.http.request(method, self.url + path, headers=headers, **kwargs) as response:
            raw = await response.read()
            return response.status, json.loads(raw) if raw else None

    async def ok(self, method: str, path: str, caller: str | None = "maas", **kwargs: Any) -> Any:
        status, answer = await self.call(method, path, caller, **kwargs)
        assert status == 200, answer
        return answer

    async def person(self, phone: str = "+79161234567", **fields: Any) -> dict[str, str]:
        person: dict[str, str] = await self.ok("POST", "/_people", None, json={"phone": phone, **fields})
        return person

    async def promocode(self, person: Mapping[str, str], token: str = "pass-1", **changes: Any) -> tuple[int, Any]:
        body = {
            "token": token,
            "series_id": "metro-10",
            "yandex_uids": [person["yandex_uid"]],
            "rides": 10,
            "expires_at": "2099-01-01T00:00:00+00:00",
            "service": "maas",
        }
        headers = {"X-Idempotency-Token": token}
        return await self.call("POST", "/coupons/internal/generate", json=body | changes, headers=headers)


Start = Callable[..., Awaitable[Sandbox]]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    pem = tickets.new_key()
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(tickets.jwks(pem))
    return Keys(path, {caller: tickets.issue(pem, caller, 3600) for caller in CALLERS})


@pytest.fixture
async def maas(keys: Keys) -> AsyncIterator[Maas]:
    fake = Maas(tickets.Verifier(keys.jwks))
    site = web.Application()
    site.router.add_route("*", "/{tail:.*}", fake.serve)
    async with test_utils.TestServer(site) as server:
        fake.url = str(server.make_url("")).rstrip("/")
        yield fake


@pytest.fixture
async def start(keys: Keys, maas: Maas) -> AsyncIterator[Start]:
    runners: list[web.AppRunner] = []
    sessions: list[aiohttp.ClientSession] = []

    async def run(
        path: Path | None = None,
        services: Mapping[str, str] | None = None,
        api_keys: Mapping[str, str] = MappingProxyType({"vtb": API_KEY}),
    ) -> Sandbox:
        own = {name: keys.tickets[name] for name in process.CALLERS}
        ours = {"maas": maas.url, "maas-authproxy": maas.url} if services is None else services
        here = world.World(
            store=state.Store(path),
            verifier=tickets.Verifier(keys.jwks),
            services=callers.Callers(ours, own, api_keys),
        )
        # As in the process: not aiohttp's TestServer, which cancels the handler of a client that has gone.
        runner = web.AppRunner(app.build(here, debts_every_s=0.05), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        session = aiohttp.ClientSession()
        sessions.append(session)
        return Sandbox(f"http://127.0.0.1:{runner.addresses[0][1]}", here, session, keys)

    yield run
    for session in sessions:
        await session.close()
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def sandbox(start: Start) -> Sandbox:
    return await start()
