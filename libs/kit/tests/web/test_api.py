"""What the pipeline adds to every request: tickets, identity, deadlines, kinds to statuses, counters."""

import asyncio
import contextvars
import email.utils
import json
import re
from typing import Any

import pytest

from kit import clock, errors, logs, metrics, pg, scope, tickets, web
from testkit import until

ACT = "POST /demo/v1/act HTTP/1.1"
EMPTY = "Content-Length: 0"


class Busy(errors.TooMany):
    """Come again later."""


async def acted(demo: Any, act: Any, *more: str) -> Any:
    demo.ctx.act = act
    return await demo.send(demo.head(ACT, EMPTY, *more), expect_close=False)


def raising(failure: BaseException, has_written: bool = False) -> Any:
    async def act(call: web.Call) -> None:
        if has_written:
            scope.note_write()
        raise failure

    return act


async def test_asks_for_a_ticket(demo: Any) -> None:
    for ticket in ("", "a.b.c", demo.ticket(audience="other"), tickets.issue(tickets.new_key(), "maas", 60)):
        lines = ["GET /demo/v1/plain HTTP/1.1", "Host: demo", f"{tickets.HEADER}: {ticket}", "", ""]
        answer = await demo.send("\r\n".join(lines).encode(), expect_close=False)
        assert (answer.status, answer.code) == (401, "ticket_invalid")
    assert demo.ctx.handled == 0


async def test_lets_in_only_the_callers_of_the_route(demo: Any) -> None:
    answer = await demo.send(demo.head(caller="music"), expect_close=False)
    assert (answer.status, answer.code) == (403, "caller_not_allowed")
    assert demo.ctx.handled == 0


async def test_reads_the_passenger_from_the_gateway_alone(demo: Any) -> None:
    me = "GET /demo/v1/me HTTP/1.1"
    known = await demo.send(demo.head(me, "X-Yandex-UID: 42", caller="passenger-authorizer"), expect_close=False)
    assert known.form == {"uid": "42"}
    for more, caller in (
        (("X-Yandex-UID: 42",), "maas"),
        ((), "passenger-authorizer"),
        (("X-Yandex-UID: 4a",), "passenger-authorizer"),
        (("X-Yandex-UID: -1",), "passenger-authorizer"),
        (("X-Yandex-UID: 42", "X-YaTaxi-Bound-Uids: 1,zwei"), "passenger-authorizer"),
    ):
        answer = await demo.send(demo.head(me, *more, caller=caller), expect_close=False)
        assert (answer.status, answer.code) == (401, "unauthorized")


async def test_reads_the_driver_from_the_gateway_alone(demo: Any) -> None:
    line, more = "GET /demo/v1/driver HTTP/1.1", ("X-YaTaxi-Park-Id: p", "X-YaTaxi-Driver-Profile-Id: d")
    assert (await demo.send(demo.head(line, *more, caller="driver-authproxy"), expect_close=False)).form[
        "park_id"
    ] == "p"
    assert (await demo.send(demo.head(line, *more), expect_close=False)).form["park_id"] is None
    answer = await demo.send(demo.head(line, more[0], caller="driver-authproxy"), expect_close=False)
    assert (answer.status, answer.code) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("failure", "status", "code", "should_retry"),
    [
        (Busy(), 429, "busy", "true"),
        (Busy(retry_after_s=6.2), 429, "busy", "true"),
        (pg.Unavailable(), 503, "unavailable", "true"),
        (errors.BadNeighbour(), 502, "bad_neighbour", "true"),
        (errors.Timeout(), 504, "timeout", "true"),
        (errors.Conflict(), 409, "conflict", "false"),
        (errors.Gone(), 410, "gone", "false"),
        (errors.NotAcceptable(), 406, "not_acceptable", "false"),
        (ValueError("password=hunter2"), 500, "internal_error", "true"),
        (TimeoutError("somebody else's"), 500, "internal_error", "true"),
        (asyncio.CancelledError("somebody else's"), 500, "internal_error", "true"),
        (RecursionError(), 500, "internal_error", "true"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
async def test_answers_a_failure_in_the_error_form(
    demo: Any, failure: BaseException, status: int, code: str, should_retry: str, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = await acted(demo, raising(failure))
    assert (answer.status, answer.code, answer.headers["x-should-retry"]) == (status, code, should_retry)
    expected = {"busy": "7" if getattr(failure, "details", None) else "1", "unavailable": "1"}
    assert answer.headers.get("retry-after") == expected.get(code)
    assert b"hunter2" not in answer.body
    assert b"somebody" not in answer.body
    assert demo.api.in_flight == 0


async def test_promises_nothing_was_done_only_when_nothing_was(demo: Any) -> None:
    before = await acted(demo, raising(pg.Unavailable()))
    after = await acted(demo, raising(pg.Unavailable(), has_written=True))
    assert (before.status, before.code) == (503, "unavailable")
    assert (after.status, after.code) == (500, "internal_error")
    assert "retry-after" not in after.headers
    assert "nothing" not in after.form["message"]


async def test_says_an_answer_it_cannot_encode_as_a_failure(demo: Any) -> None:
    async def act(call: web.Call) -> web.Ready:
        return web.Ready({1, 2})

    answer = await acted(demo, act)
    assert (answer.status, answer.code) == (500, "internal_error")


async def test_stops_when_the_callers_time_is_spent(demo: Any) -> None:
    cancelled = []

    async def act(call: web.Call) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    answer = await acted(demo, act, "X-YaTaxi-Client-TimeoutMs: 40")
    assert (answer.status, answer.code) == (504, "deadline_exceeded")
    assert cancelled == [True]
    assert demo.api.in_flight == 0


async def test_does_nothing_when_the_callers_time_was_already_spent(demo: Any) -> None:
    answer = await acted(demo, raising(AssertionError()), "X-YaTaxi-Client-TimeoutMs: 0")
    assert (answer.status, answer.code) == (504, "deadline_exceeded")
    assert demo.ctx.handled == 0


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        ("2000", 1.5, 2.0),
        ("9999999", 59.0, 60.0),
        *((value, 9.5, 10.0) for value in ("", "-5", "1.5", "1e3", "soon", "99999999", "0x10", "+5", " ")),
    ],
)
async def test_takes_the_callers_time_when_it_is_one(demo: Any, given: str, least: float, most: float) -> None:
    async def act(call: web.Call) -> web.Ready:
        return web.Ready(scope.remaining_s(-1))

    answer = await acted(demo, act, f"X-YaTaxi-Client-TimeoutMs: {given}")
    assert least < float(answer.body) <= most + 0.1  # uvloop's clock stands still within a tick


@pytest.mark.parametrize("given", ["abc-123", "a" * 128])
async def test_gives_the_request_id_back(demo: Any, given: str) -> None:
    answer = await demo.send(demo.head("GET /demo/v1/plain HTTP/1.1", f"X-YaRequestId: {given}"), expect_close=False)
    assert answer.headers["x-yarequestid"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 129])
async def test_makes_a_request_id_when_there_is_none(demo: Any, given: str) -> None:
    answer = await demo.send(demo.head("GET /demo/v1/plain HTTP/1.1", f"X-YaRequestId: {given}"), expect_close=False)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-yarequestid"])


async def test_logs_a_request_in_one_line(demo: Any, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    logs.setup("demo")
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await demo.send(
        demo.head("GET /demo/v1/nothing HTTP/1.1", "X-YaRequestId: r1", f"traceparent: {parent}"), expect_close=False
    )
    (line,) = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines() if b'"r1"' in line]
    assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert (line["event"], line["status"], line["code"]) == ("request", 404, "route_unknown")


async def test_speaks_the_callers_language(demo: Any) -> None:
    demo.api._say = lambda language, message: f"{language}: {message}"
    for given, spoken in (("en-US", "en"), ("RU", "ru"), ("de", "ru"), ("enough", "ru"), ("", "ru")):
        head = demo.head("GET /nothing HTTP/1.1", f"X-Request-Language: {given}")
        answer = await demo.send(head, expect_close=False)
        assert answer.form["message"] == f"{spoken}: There is no such route."


async def test_sheds_what_is_too_much_before_anything_is_done(demo: Any) -> None:
    go = asyncio.Event()

    async def act(call: web.Call) -> None:
        await go.wait()

    demo.api._max_in_flight = 2
    demo.ctx.act = act
    wires = [await demo.connect() for _ in range(2)]
    for wire in wires:
        await wire.write(demo.head(ACT, EMPTY))
    await until(lambda: demo.ctx.handled == 2)
    answer = await demo.send(demo.head(), expect_close=False)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert metrics.value("http_requests_in_flight") == 2
    go.set()
    assert [(await wire.answer()).status for wire in wires] == [200, 200]
    await until(lambda: demo.api.in_flight == 0)


async def test_counts_by_route_and_never_by_what_strangers_say(demo: Any) -> None:
    labels = {"route": "/demo/v1/plain", "method": "GET", "status": 200}
    before = metrics.value("http_requests_total", **labels)
    refusals = {"route": "unmatched", "code": "route_unknown"}
    refused = metrics.value("http_refusals_total", **refusals)
    await demo.send(demo.head(), expect_close=False)
    await demo.send(demo.head("GET /demo/v1/plain/9137 HTTP/1.1"), expect_close=False)
    await demo.send(demo.head("PATCH /demo/v1/plain HTTP/1.1"), expect_close=False)
    assert metrics.value("http_requests_total", **labels) == before + 1
    assert metrics.value("http_refusals_total", **refusals) == refused + 1
    assert b"9137" not in metrics.render()
    assert b"PATCH" not in metrics.render()


async def test_finishes_for_a_client_that_has_gone(demo: Any) -> None:
    ended = []

    async def act(call: web.Call) -> None:
        await asyncio.sleep(0.1)
        ended.append(True)

    demo.ctx.act = act
    wire = await demo.connect()
    await wire.write(demo.head(ACT, EMPTY))
    await until(lambda: demo.ctx.handled == 1)
    wire.writer.transport.abort()
    await until(lambda: ended and demo.api.in_flight == 0)


async def test_counts_down_when_a_request_is_cancelled(demo: Any) -> None:
    async def act(call: web.Call) -> None:
        await asyncio.Event().wait()

    demo.ctx.act = act
    before = metrics.value("http_requests_total", route="/demo/v1/act", status="cancelled")
    wire = await demo.connect()
    await wire.write(demo.head(ACT, EMPTY))
    await until(lambda: demo.ctx.handled == 1)
    (connection,) = demo.listener._server.connections
    connection._task_handler.cancel()
    await until(lambda: demo.api.in_flight == 0)
    assert metrics.value("http_requests_total", route="/demo/v1/act", status="cancelled") == before + 1


async def test_keeps_what_a_request_leaves_in_context_variables_from_the_next(demo: Any) -> None:
    left: contextvars.ContextVar[str] = contextvars.ContextVar("left", default="nothing")

    async def act(call: web.Call) -> web.Ready:
        here = scope.current()
        assert here is not None
        found = left.get()
        left.set(here.request_id)
        return web.Ready([found, here.request_id])

    demo.ctx.act = act
    wire = await demo.connect()
    # Two that were sent ahead, and one that came when they were answered.
    await wire.write(b"".join(demo.head(ACT, EMPTY, f"X-YaRequestId: r{n}") for n in range(2)))
    assert [(await wire.answer()).form for _ in range(2)] == [["nothing", "r0"], ["nothing", "r1"]]
    await wire.write(demo.head(ACT, EMPTY, "X-YaRequestId: r2"))
    assert (await wire.answer()).form == ["nothing", "r2"]


async def test_answers_one_query_anew_each_time(demo: Any) -> None:
    """What a handler does to its arguments must not reach the next request that asks the same."""

    async def act(call: web.Call) -> web.Ready:
        found = dict(call.args)
        call.args["order_id"] = "spoilt"
        return web.Ready(found)

    demo.ctx.act = act
    for _ in range(2):
        answer = await demo.send(demo.head("GET /demo/v1/state?order_id=a HTTP/1.1"), expect_close=False)
        assert answer.form == {"order_id": "a"}


async def test_keeps_a_connection_of_http_1_0_only_when_asked_to(demo: Any) -> None:
    answer = await demo.send(demo.head("GET /demo/v1/plain HTTP/1.0"))
    assert (answer.status, answer.headers["connection"], answer.is_closed) == (200, "close", True)
    wire = await demo.connect()
    for _ in range(2):
        await wire.write(demo.head("GET /demo/v1/plain HTTP/1.0", "Connection: keep-alive"))
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")


async def test_says_when_it_answered(demo: Any) -> None:
    date = email.utils.parsedate_to_datetime((await demo.send(demo.head(), expect_close=False)).headers["date"])
    assert abs((clock.now() - date).total_seconds()) < 3


async def test_passes_raw_bodies_on(demo: Any) -> None:
    body = bytes(range(256))
    answer = await demo.send(
        demo.head("POST /demo/v1/raw?a=%zz HTTP/1.1", "Content-Type: x/y", "Content-Length: 256") + body,
        expect_close=False,
    )
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, body, "application/octet-stream")


def test_knows_a_status_for_every_kind() -> None:
    assert set(web.answers.STATUS) == set(errors.Kind)


@pytest.mark.parametrize("path", ["demo", "/a?b", "/%61", "/путь"])
def test_declares_static_paths_alone(path: str) -> None:
    with pytest.raises(ValueError, match="static ASCII path"):
        web.get(path, callers=None)


def test_refuses_two_routes_in_one_place() -> None:
    @web.get("/a", callers=None)
    async def one(ctx: Any, call: web.Call) -> None: ...

    @web.get_or_post("/b", callers=None, aliases=("/a",))
    async def two(ctx: Any, call: web.Call) -> None: ...

    with pytest.raises(ValueError, match="two routes for GET /a"):
        web.Api([one, two], None, authenticate=None)
    with pytest.raises(TypeError, match="is not a route"):
        web.Api([lambda ctx, call: None], None, authenticate=None)  # type: ignore[list-item,return-value]
