"""A small service to send requests to, and a way to send it anything."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from kit import errors, fields, tickets, web

PEM = tickets.new_key()
LIMITS = web.Limits(header_s=0.15, body_s=0.15, idle_s=0.3, linger_s=0.5, drain_s=2.0)


class OrderTaken(errors.Conflict):
    """Somebody has this order already."""


class OrderSchema(fields.Strict):
    """Every field that the house has."""

    order_id = fields.Id(required=True)
    count = fields.Whole(least=0, most=100, required=True)
    uid = fields.Uid()
    note = fields.Text(longest=16)
    point = fields.point()
    price = fields.amount_of_money()
    at = fields.Moment()


class WhichSchema(fields.Strict):
    """What fits a query as well as a body."""

    order_id = fields.Id(required=True)
    count = fields.Whole(least=0, most=100)
    at = fields.Moment()


ORDER, WHICH = OrderSchema(), WhichSchema()
MAAS = ("maas",)


@dataclass
class Context:
    """What the routes of the tests hold: how often a handler ran, and what `act` does."""

    handled: int = 0
    act: Callable[[web.Call], Awaitable[Any]] | None = None
    seen: list[Any] = field(default_factory=list)


@web.post("/demo/v1/order", callers=MAAS, body=ORDER, answer=ORDER, refusals=(OrderTaken,))
async def order(ctx: Context, call: web.Call) -> Any:
    """Takes an order (заказ).

    The second paragraph is for editors.
    """
    ctx.handled += 1
    return call.args


@web.get_or_post("/demo/v1/find", callers=MAAS, query=WHICH, body=WHICH, answer=WHICH, aliases=("/demo/v1/find-order",))
async def find(ctx: Context, call: web.Call) -> Any:
    """Finds an order."""
    ctx.handled += 1
    return call.args


@web.get("/demo/v1/plain", callers=MAAS)
async def plain(ctx: Context, call: web.Call) -> web.Ready:
    """Answers at once."""
    ctx.handled += 1
    return web.Ready({"ok": True})


@web.post("/demo/v1/act", callers=MAAS)
async def act(ctx: Context, call: web.Call) -> Any:
    """Does what the test says."""
    ctx.handled += 1
    assert ctx.act is not None
    return await ctx.act(call)


@web.get("/demo/v1/me", callers=("passenger-authorizer", "maas"))
async def me(ctx: Context, call: web.Call) -> web.Ready:
    """Tells the passenger's uid."""
    ctx.seen.append(call.passenger)
    return web.Ready({"uid": call.the_passenger().yandex_uid})


@web.get("/demo/v1/driver", callers=("driver-authproxy", "maas"))
async def driver(ctx: Context, call: web.Call) -> web.Ready:
    """Tells the driver's park."""
    ctx.seen.append(call.driver)
    return web.Ready({"park_id": call.driver.park_id if call.driver else None})


@web.post("/demo/v1/raw", callers=MAAS, is_raw=True)
async def raw(ctx: Context, call: web.Call) -> web.Raw:
    """Gives the body back."""
    ctx.handled += 1
    return web.Raw(await call.read_body(), "application/octet-stream")


@web.get("/demo/v1/state", callers=MAAS, query=WHICH, is_waiting=True, has_etag=True)
async def state(ctx: Context, call: web.Call) -> Any:
    """Waits as the test says."""
    ctx.handled += 1
    assert ctx.act is not None
    return await ctx.act(call)


@web.post("/demo/v1/begin", callers=MAAS, body=web.NOTHING)
async def begin(ctx: Context, call: web.Call) -> web.Ready:
    """Begins, whatever there is to say of that."""
    ctx.handled += 1
    return web.Ready({"ok": True})


ROUTES = (order, find, plain, act, me, driver, raw, state, begin)


@dataclass
class Answer:
    """One response off the wire; `is_closed` tells whether the server ended the connection after it."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_closed: bool = False

    @property
    def form(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def code(self) -> str:
        return str(self.form["code"])


@dataclass
class Demo:
    """The running service."""

    api: web.Api
    listener: web.Listener
    ctx: Context
    verifier: tickets.Verifier
    wires: list["Wire"] = field(default_factory=list)

    def ticket(self, caller: str = "maas", **kwargs: Any) -> str:
        return tickets.issue(PEM, caller, 60, **kwargs)

    def head(self, line: str = "GET /demo/v1/plain HTTP/1.1", *more: str, caller: str = "maas") -> bytes:
        """A whole head with Host and ticket; `more` are header lines."""
        lines = [line, "Host: demo", f"{tickets.HEADER}: {self.ticket(caller)}", *more, "", ""]
        return "\r\n".join(lines).encode()

    def post(self, body: bytes, path: str = "/demo/v1/order", *more: str) -> bytes:
        """A whole POST of JSON."""
        lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", *more)
        return self.head(f"POST {path} HTTP/1.1", *lines) + body

    async def connect(self) -> "Wire":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        wire = Wire(reader, writer)
        self.wires.append(wire)
        return wire

    async def send(self, *parts: bytes, expect_close: bool = True) -> Answer:
        """The answer to the bytes, on a connection of their own."""
        wire = await self.connect()
        for part in parts:
            await wire.write(part)
        answer = await wire.answer()
        if expect_close or answer.headers.get("connection") == "close":
            answer.is_closed = await wire.is_closed()
        wire.close()
        return answer


@dataclass
class Wire:
    """A connection by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def write(self, data: bytes) -> None:
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            pass  # the answer may already be there to be read

    async def answer(self, timeout_s: float = 3.0) -> Answer:
        async with asyncio.timeout(timeout_s):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
            return Answer(int(first.split()[1]), headers, body)

    async def is_closed(self, timeout_s: float = 2.0) -> bool:
        """True when the server closes without another byte."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.reader.read() == b""
        except TimeoutError:
            return False

    def close(self) -> None:
        self.writer.close()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Production runs on uvloop, services' tests on asyncio: the wire must be the same."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(tickets.jwks(PEM))
    return path


@pytest.fixture
def limits() -> web.Limits:
    return LIMITS


@pytest.fixture
async def demo(jwks_file: Path, limits: web.Limits) -> AsyncIterator[Demo]:
    verifier = tickets.Verifier(jwks_file)
    ctx = Context()
    api = web.Api(ROUTES, ctx, authenticate=lambda request: verifier.verify(request.headers.get(tickets.HEADER)))
    listener = web.Listener(api, "127.0.0.1", 0, limits)
    await listener.start()
    demo = Demo(api, listener, ctx, verifier)
    yield demo
    for wire in demo.wires:
        wire.close()
    await listener.stop()
    assert api.in_flight == 0
