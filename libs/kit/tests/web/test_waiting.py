"""Routes that wait: a bound of their own, an end with their client, and ETags."""

import asyncio
import time
from typing import Any

import pytest

from kit import metrics, web
from testkit import until

WAIT = "GET /demo/v1/state?order_id=a HTTP/1.1"


class Waiting:
    """What waiters wait for, and how they ended."""

    def __init__(self) -> None:
        self.happened = asyncio.Event()
        self.ended: list[str] = []

    async def act(self, call: web.Call) -> web.Ready:
        try:
            await self.happened.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("answered")
        return web.Ready({"order_id": call.args["order_id"]}, etag="2")


@pytest.fixture
def waiting(demo: Any) -> Waiting:
    found = Waiting()
    demo.ctx.act = found.act
    return found


async def _asked(demo: Any, count: int = 1, *more: str) -> list[Any]:
    wires = [await demo.connect() for _ in range(count)]
    for wire in wires:
        await wire.write(demo.head(WAIT, *more))
    await until(lambda: demo.api.waiting == count)
    return wires


async def test_counts_those_that_wait_apart_from_those_in_flight(demo: Any, waiting: Waiting) -> None:
    demo.api._max_in_flight = 1
    wires = await _asked(demo, 3)
    assert demo.api.in_flight == 0
    assert metrics.value("http_requests_waiting") == 3
    assert (await demo.send(demo.head(), expect_close=False)).status == 200
    waiting.happened.set()
    answers = [await wire.answer() for wire in wires]
    assert [(each.status, each.form) for each in answers] == [(200, {"order_id": "a"})] * 3
    assert demo.api.waiting == 0


@pytest.mark.parametrize("limits", [web.Limits(waiting=2)])
async def test_sheds_a_waiter_too_many_and_serves_the_others(demo: Any, waiting: Waiting) -> None:
    wires = await _asked(demo, 2)
    answer = await demo.send(demo.head(WAIT), expect_close=False)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert (await demo.send(demo.head(), expect_close=False)).status == 200
    assert demo.api.waiting == 2
    waiting.happened.set()
    assert [(await wire.answer()).status for wire in wires] == [200, 200]
    assert (await demo.send(demo.head(WAIT), expect_close=False)).status == 200


@pytest.mark.parametrize("how", ["reset", "closed"])
async def test_ends_the_waiting_of_a_client_that_has_gone(demo: Any, waiting: Waiting, how: str) -> None:
    route = {"route": "/demo/v1/state", "status": "cancelled"}
    before = metrics.value("http_requests_total", **route)
    (wire,) = await _asked(demo)
    wire.writer.transport.abort() if how == "reset" else wire.close()
    await until(lambda: waiting.ended == ["cancelled"])
    await until(lambda: demo.api.waiting == 0 and not demo.listener._server.connections)
    assert metrics.value("http_requests_total", **route) == before + 1


async def test_lets_nobody_wait_who_had_gone_before_its_turn_came(demo: Any, waiting: Waiting) -> None:
    go = asyncio.Event()

    async def act(call: web.Call) -> Any:
        return await (waiting.act(call) if call.path == "/demo/v1/state" else go.wait())

    demo.ctx.act = act
    wire = await demo.connect()
    await wire.write(demo.head("POST /demo/v1/act HTTP/1.1", "Content-Length: 0") + demo.head(WAIT))
    wire.writer.write_eof()
    (connection,) = demo.listener._server.connections
    await until(lambda: connection._is_half_closed)
    go.set()
    assert (await wire.answer()).status == 200
    await until(lambda: waiting.ended == ["cancelled"])
    await until(lambda: demo.api.waiting == 0 and not demo.listener._server.connections)


async def test_answers_at_once_a_waiter_that_needs_not_wait_and_has_closed_its_half(demo: Any) -> None:
    async def act(call: web.Call) -> web.Ready:
        return web.Ready(b"[]", etag="1")

    demo.ctx.act = act
    wire = await demo.connect()
    wire.writer.write(demo.head(WAIT))
    wire.writer.write_eof()
    assert (await wire.answer()).status == 200
    assert await wire.is_closed()


@pytest.mark.parametrize("limits", [web.Limits(drain_s=2.0, linger_s=0.2)])
async def test_answers_those_that_wait_when_it_drains(demo: Any, waiting: Waiting) -> None:
    (wire,) = await _asked(demo)
    stopping = asyncio.create_task(demo.listener.stop())
    await until(lambda: demo.api.is_draining)
    waiting.happened.set()
    answer = await wire.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    await stopping


@pytest.mark.parametrize(("given", "least", "most"), [("2000", 1.5, 1.9), ("", 29.0, 30.0), ("50", 0.0, 0.0)])
async def test_says_how_long_a_handler_may_wait(demo: Any, given: str, least: float, most: float) -> None:
    async def act(call: web.Call) -> web.Ready:
        return web.Ready(call.remaining_s)

    demo.ctx.act = act
    answer = await demo.send(demo.head(WAIT, f"X-YaTaxi-Client-TimeoutMs: {given}"), expect_close=False)
    assert least <= float(answer.body) <= most + 0.05  # uvloop's clock stands still within a tick


async def test_stops_a_waiter_that_waits_beyond_the_callers_time(demo: Any, waiting: Waiting) -> None:
    patient = (await _asked(demo))[0]
    answer = await demo.send(demo.head(WAIT, "X-YaTaxi-Client-TimeoutMs: 40"), expect_close=False)
    assert (answer.status, answer.code) == (504, "deadline_exceeded")
    assert waiting.ended == ["cancelled"]
    waiting.happened.set()
    assert (await patient.answer()).status == 200


async def test_looks_at_no_deadline_while_all_are_far_away(
    demo: Any, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five thousand that wait must not be looked at again and again, not even when somebody's time was over."""
    looks: list[float] = []
    look = type(demo.api._deadlines)._look

    def counted(self: Any) -> None:
        looks.append(time.monotonic())
        look(self)

    monkeypatch.setattr(type(demo.api._deadlines), "_look", counted)
    wires = await _asked(demo, 5)
    hasty = await demo.send(demo.head(WAIT, "X-YaTaxi-Client-TimeoutMs: 40"), expect_close=False)
    assert hasty.status == 504
    await asyncio.sleep(0.3)
    assert 1 <= len(looks) <= 4
    waiting.happened.set()
    for wire in wires:
        await wire.answer()


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ("", 200), ('"2"', 304), ('W/"2"', 304), ('"1", "2"', 304), ("*", 304), ("2", 304),
        ('"1"', 200), ('"22"', 200), ('""', 200), (",", 200), ('"1" "2"', 200),
    ],
)  # fmt: skip
async def test_answers_304_to_whoever_has_it_already(demo: Any, known: str, status: int) -> None:
    async def act(call: web.Call) -> web.Ready:
        return web.Ready(b'{"order_id":"a"}', etag="2")

    demo.ctx.act = act
    wire = await demo.connect()
    await wire.write(demo.head(WAIT, f"If-None-Match: {known}"))
    answer = await wire.answer()
    assert (answer.status, answer.headers["etag"]) == (status, '"2"')
    assert answer.body == (b"" if status == 304 else b'{"order_id":"a"}')
    assert ("content-length" in answer.headers, "content-type" in answer.headers) == (status == 200,) * 2
    # The connection goes on right behind a 304, which has no body.
    await wire.write(demo.head())
    assert (await wire.answer()).form == {"ok": True}


async def test_passes_on_a_304_without_the_body_that_it_can_not_have(demo: Any) -> None:
    async def act(call: web.Call) -> web.Raw:
        return web.Raw(b"left over", "text/plain", 304)

    demo.ctx.act = act
    wire = await demo.connect()
    await wire.write(demo.head(WAIT) + demo.head())
    assert [(await wire.answer()).status for _ in range(2)] == [304, 200]


@pytest.mark.parametrize(
    ("given", "known"),
    [('"7"', "7"), ('W/"7"', "7"), ("7", "7"), ('"a b"', "a b"), ('"1", "2"', None), ("*", None), ('""', None)],
)
async def test_tells_a_handler_what_its_client_has(demo: Any, given: str, known: str | None) -> None:
    async def act(call: web.Call) -> web.Ready:
        return web.Ready([call.known_etag])

    demo.ctx.act = act
    answer = await demo.send(demo.head(WAIT, f"If-None-Match: {given}"), expect_close=False)
    assert answer.form == [known]


async def test_says_that_nothing_changed_when_a_handler_says_so(demo: Any) -> None:
    async def act(call: web.Call) -> web.NotModified:
        return web.NotModified("9")

    demo.ctx.act = act
    answer = await demo.send(demo.head(WAIT), expect_close=False)
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", '"9"')


@pytest.mark.parametrize("etag", ["", 'a"b', "a\r\nX-Yandex-UID: 1", "ё", "a" * 129])
async def test_sends_no_etag_that_is_none(demo: Any, etag: str) -> None:
    async def act(call: web.Call) -> web.NotModified:
        return web.NotModified(etag)

    demo.ctx.act = act
    assert (await demo.send(demo.head(WAIT), expect_close=False)).status == 500


async def test_sends_no_etag_from_a_route_that_declares_none(demo: Any) -> None:
    async def act(call: web.Call) -> web.Ready:
        return web.Ready({}, etag="1")

    demo.ctx.act = act
    head = demo.head("POST /demo/v1/act HTTP/1.1", "Content-Length: 0")
    assert (await demo.send(head, expect_close=False)).status == 500


async def test_sends_no_header_that_would_begin_another(demo: Any) -> None:
    async def act(call: web.Call) -> web.Ready:
        return web.Ready({}, {"X-Note": "a\r\nX-Yandex-UID: 1"})

    demo.ctx.act = act
    answer = await demo.send(demo.head(WAIT), expect_close=False)
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "x-yandex-uid" not in answer.headers


def test_describes_a_route_with_an_etag() -> None:
    @web.get("/demo/v1/state", callers=("maas",), has_etag=True)
    async def described(ctx: Any, call: web.Call) -> None:
        """Tells the state."""

    operation = web.document("demo", "Orders", [described])["paths"]["/demo/v1/state"]["get"]
    assert operation["responses"]["304"]["description"] == "What the client has already is the present one."
    assert "ETag" in operation["responses"]["200"]["headers"]
    assert {"in": "header", "name": "If-None-Match", "schema": {"type": "string"}} in operation["parameters"]
