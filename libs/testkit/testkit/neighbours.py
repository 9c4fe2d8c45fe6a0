"""The neighbours of a test, on the wire: one real HTTP server that answers only what the test said it would.

    neighbours.coupons.on("POST", "/internal/generate", answer={"promocode": "METRO1", "series_id": "s"})
    client = coupons.Coupons(neighbours.coupons.url, …)
    …
    assert neighbours.coupons.calls("POST", "/internal/generate")[0].json["token"] == "pass-1"

A call that nobody mocked is answered 500 and fails the test when it ends.
"""

import asyncio
import inspect
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from aiohttp import web

Fault = Literal["reset", "garbage", "truncated", "drip", "silent"]

_JSON = {"Content-Type": "application/json; charset=utf-8"}
_DRIP_S = 0.05


@dataclass(frozen=True)
class Call:
    """A request that a neighbour got; `args` are the values of `{names}` in the mocked path."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What a callable answer may return instead of plain JSON content; bytes go out as they are."""

    content: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Any | Callable[[Call], Any]


@dataclass
class Mock:
    """One mocked route; `times` is how often it still answers, None for ever."""

    method: str
    path: str
    answer: Answer
    status: int
    headers: Mapping[str, str]
    times: int | None
    delay_s: float
    fault: Fault | None
    calls: list[Call] = field(default_factory=list)

    def matched(self, method: str, path: str) -> dict[str, str] | None:
        """The values of the path's names, None when this route is not meant."""
        if self.times == 0 or self.method not in ("*", method):
            return None
        found = _pattern(self.path).fullmatch(path)
        return None if found is None else found.groupdict()


class Neighbour:
    """One neighbour: its base URL, its mocked routes and the calls it got."""

    def __init__(self, name: str, base: str) -> None:
        self.name = name
        self.url = f"{base}/{name}"
        self.received: list[Call] = []
        self._mocks: list[Mock] = []

    def on(
        self,
        method: str,
        path: str,
        answer: Answer = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        times: int | None = None,
        delay_s: float = 0.0,
        fault: Fault | None = None,
    ) -> Mock:
        """Mocks a route; a later mock of the same route goes first. `path` may hold `{names}`, `method` may be `*`.

        `answer` is JSON content, bytes, a `Reply`, or a function of the `Call` (sync or async) that returns one.
        """
        mock = Mock(method, path, answer, status, headers or {}, times, delay_s, fault)
        self._mocks.insert(0, mock)
        return mock

    def fail(self, fault: Fault, *, times: int | None = None) -> Mock:
        """Makes every route fail: `reset` the connection, `garbage` for JSON, a `truncated` or `drip`ping body,
        `silent` without any answer.
        """
        return self.on("*", "/{rest}", fault=fault, times=times)

    def reset(self) -> None:
        """Forgets mocks and calls."""
        self._mocks.clear()
        self.received.clear()

    def calls(self, method: str | None = None, path: str | None = None) -> list[Call]:
        """The calls got so far, also those that nobody mocked; `path` may hold `{names}`."""
        pattern = None if path is None else _pattern(path)
        return [
            call
            for call in self.received
            if method in (None, call.method) and (pattern is None or pattern.fullmatch(call.path))
        ]

    def find(self, method: str, path: str) -> tuple[Mock, dict[str, str]] | None:
        """The mock that answers, with its path's values."""
        for mock in self._mocks:
            if (args := mock.matched(method, path)) is not None:
                return mock, args
        return None


class Neighbours:
    """The server of all neighbours: each is an attribute, and has the name of the attribute as its path prefix."""

    def __init__(self) -> None:
        self.base = ""
        self.unmocked: list[str] = []
        self._known: dict[str, Neighbour] = {}
        self._runner = web.ServerRunner(web.Server(self._answered, access_log=None), shutdown_timeout=0.1)

    def __getattr__(self, name: str) -> Neighbour:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Neighbour:
        if name not in self._known:
            self._known[name] = Neighbour(name, self.base)
        return self._known[name]

    async def start(self) -> None:
        """Listens on a free port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"

    async def close(self) -> None:
        """Stops listening; requests under way are cut off."""
        await self._runner.cleanup()

    def verify(self) -> None:
        """AssertionError when there were calls that nobody mocked."""
        if self.unmocked:
            told = "\n".join(f"  {call}" for call in self.unmocked)
            raise AssertionError(f"calls to neighbours that this test did not mock:\n{told}")

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        name, _, rest = request.path.removeprefix("/").partition("/")
        path = f"/{rest}"
        neighbour = self[name]
        found = neighbour.find(request.method, path)
        call = Call(
            request.method,
            path,
            dict(request.query),
            request.headers,
            await request.read(),
            found[1] if found else {},
        )
        neighbour.received.append(call)
        if found is None:
            self.unmocked.append(f"{call.method} {name} {path}")
            return _response({"code": "not_mocked", "message": "No test mocked this call."}, 500, {})
        return await _play(found[0], call, request)


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    names = {"rest": ".*"}
    return re.compile(
        "".join(f"(?P<{part}>{names.get(part, '[^/]+')})" if n % 2 else re.escape(part) for n, part in enumerate(parts))
    )


async def _play(mock: Mock, call: Call, request: web.BaseRequest) -> web.StreamResponse:
    mock.calls.append(call)
    if mock.times is not None:
        mock.times -= 1
    if mock.delay_s:
        await asyncio.sleep(mock.delay_s)
    if mock.fault is not None:
        return await _faulty(mock.fault, request)
    answer = mock.answer(call) if callable(mock.answer) else mock.answer
    if inspect.isawaitable(answer):
        answer = await answer
    if isinstance(answer, Reply):
        return _response(answer.content, answer.status, answer.headers)
    return _response(answer, mock.status, mock.headers)


def _response(content: Any, status: int, headers: Mapping[str, str]) -> web.Response:
    if status == 304:
        return web.Response(status=status, headers=headers)
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return web.Response(body=body, status=status, headers={**_JSON, **headers})


async def _faulty(fault: Fault, request: web.BaseRequest) -> web.StreamResponse:
    if fault == "garbage":
        return _response(b"<html>oops {", 200, {})
    if fault == "silent":
        await asyncio.Event().wait()
    if fault == "reset":
        return _cut(request)
    response = web.StreamResponse(headers={**_JSON, "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"cut": "')
    while fault == "drip":
        await asyncio.sleep(_DRIP_S)
        await response.write(b"x")
    return _cut(request)


def _cut(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@pytest.fixture
async def neighbours() -> AsyncIterator[Neighbours]:
    """The mocked neighbours of this test; a call that it did not mock fails it at the end."""
    made = Neighbours()
    await made.start()
    try:
        yield made
    finally:
        await made.close()
    made.verify()
