import asyncio
import contextlib
import gzip
import io
import itertools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import marshmallow as ma
import pytest

from kit import failpoints, http_client, logs, metrics, scope
from kit.http_client import client as module
from kit.http_client import qos
from testkit import until
from testkit.neighbours import Call, Neighbour, Neighbours, Reply

_numbers = itertools.count()


class ItemSchema(http_client.Answer):
    id = ma.fields.String(required=True)


class ThingSchema(http_client.Answer):
    name = ma.fields.String(required=True)
    items = ma.fields.List(ma.fields.Nested(ItemSchema), load_default=list)


class Taken(http_client.NeighbourRefused):
    """This name is taken."""


class Ticket:
    def header(self) -> str:
        return "ticket-of-maas"


class Things(http_client.Client):
    name = "things"

    async def get(self, operation: str = "get", **more: Any) -> Any:
        return await self._call(
            "GET", "/thing", operation=operation, **{"answer": ThingSchema(), "is_idempotent": True, **more}
        )

    async def put(self, operation: str = "put", **more: Any) -> Any:
        given = {"answer": ThingSchema(), "is_idempotent": True, "body": {"name": "x"}, **more}
        return await self._call("POST", "/thing", operation=operation, refusals={"taken": Taken}, **given)

    async def forward(self, method: str = "GET", **more: Any) -> http_client.Raw:
        return await self._pass(method, "/thing", operation="forward", **{"is_idempotent": True, **more})


Opened = Callable[..., Awaitable[Things]]


@pytest.fixture
def things(neighbours: Neighbours) -> Neighbour:
    return neighbours.things


@pytest.fixture
async def opened(things: Neighbour) -> AsyncIterator[Opened]:
    async with contextlib.AsyncExitStack() as stack:

        async def client(rule: http_client.Qos | None = None, **options: Any) -> Things:
            table = {"default": rule or http_client.Qos(500, 3)}
            made = Things(options.pop("url", things.url), ticket=Ticket(), qos=lambda: table, **options)
            return await stack.enter_async_context(made)

        yield client


@pytest.fixture
def operation() -> str:
    """A name of its own, so that its metrics begin at zero."""
    return f"op{next(_numbers)}"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.001)


@contextlib.contextmanager
def request_of(seconds: float, request_id: str = "r-1") -> Iterator[scope.Scope]:
    deadline = asyncio.get_running_loop().time() + seconds
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    with scope.entered(scope.Scope("/x", request_id=request_id, deadline=deadline, traceparent=parent)) as here:
        yield here


def counted(operation: str, outcome: str) -> float:
    return metrics.value("client_requests_total", neighbour="things", operation=operation, outcome=outcome)


async def test_sends_a_call_with_everything_it_needs(things: Neighbour, opened: Opened) -> None:
    things.on("POST", "/thing", {"name": "made", "unknown": 1, "items": [{"id": "1", "more": 2}]})
    client = await opened()
    with request_of(0.3):
        found = await client.put(body={"name": "Кот"}, query={"q": "a b", "none": None}, headers={"X-Extra": "1"})
    assert found == {"name": "made", "items": [{"id": "1"}]}
    (call,) = things.calls()
    assert call.json == {"name": "Кот"}
    assert dict(call.query) == {"q": "a b"}
    headers = call.headers
    assert headers["X-Ya-Service-Ticket"] == "ticket-of-maas"
    assert headers["X-YaRequestId"] == "r-1"
    assert headers["traceparent"].startswith(f"00-{'a' * 32}-")
    assert "b" * 16 not in headers["traceparent"]
    assert 200 <= int(headers["X-YaTaxi-Client-TimeoutMs"]) <= 300
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Extra"] == "1"
    assert headers["Accept-Encoding"] == "identity"


async def test_counts_calls_and_their_time(things: Neighbour, opened: Opened, operation: str) -> None:
    things.on("GET", "/thing", {"name": "x"})
    client = await opened()
    await client.get(operation)
    assert counted(operation, "ok") == 1
    assert metrics.value("client_request_seconds_count", neighbour="things", operation=operation) == 1
    assert metrics.value("client_in_flight", neighbour="things") == 0


async def test_gives_nothing_for_an_answer_nobody_reads(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", b"anything", headers={"Content-Type": "text/plain"})
    assert await (await opened()).get(answer=None) is None


async def test_gives_nothing_when_nothing_changed(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", status=304)
    client = await opened()
    assert await client.get(headers={"If-None-Match": "v1"}) is None
    with pytest.raises(http_client.NeighbourGarbage):
        await client.get()


async def test_quotes_a_segment_of_a_path(things: Neighbour, opened: Opened) -> None:
    assert http_client.quoted("a/../b?c#d é") == "a%2F..%2Fb%3Fc%23d%20%C3%A9"


async def test_needs_to_be_started(things: Neighbour) -> None:
    client = Things(things.url, ticket=None, qos=dict)
    with pytest.raises(RuntimeError, match="not started"):
        await client.get()


# What the neighbour refuses.


async def test_names_a_known_refusal(things: Neighbour, opened: Opened, operation: str) -> None:
    things.on("POST", "/thing", {"code": "taken", "message": "+79161234567"}, status=409)
    with pytest.raises(Taken) as refused:
        await (await opened()).put(operation)
    assert (refused.value.status, refused.value.reason, refused.value.code) == (409, "taken", "taken")
    assert "7916" not in str(refused.value.details)
    assert counted(operation, "refused") == 1
    assert len(things.calls()) == 1


@pytest.mark.parametrize("body", [{"code": "other"}, {"code": "x\ny"}, {"code": 5}, [], b"<html>", b""])
async def test_refuses_with_an_unknown_code(things: Neighbour, opened: Opened, body: Any) -> None:
    things.on("POST", "/thing", body, status=404)
    with pytest.raises(http_client.NeighbourRefused) as refused:
        await (await opened()).put()
    assert refused.value.reason in ("other", "")
    assert refused.value.status == 404
    assert refused.value.code == "neighbour_refused"


# What the neighbour can't.


async def test_repeats_an_idempotent_call(things: Neighbour, opened: Opened, operation: str) -> None:
    things.on("GET", "/thing", {"name": "x"})
    things.on("GET", "/thing", status=500, times=1)
    things.on("GET", "/thing", status=503, times=1)
    assert await (await opened()).get(operation) == {"name": "x", "items": []}
    assert len(things.calls()) == 3
    assert metrics.value("client_retries_total", operation=operation) == 2


@pytest.mark.parametrize("fault", ["reset", "truncated"])
async def test_repeats_a_call_that_was_cut_off(things: Neighbour, opened: Opened, fault: Any) -> None:
    things.on("GET", "/thing", {"name": "x"})
    things.on("GET", "/thing", fault=fault, times=1)
    assert (await (await opened()).get())["name"] == "x"


@pytest.mark.parametrize(
    ("given", "failure"),
    [
        ({"status": 500}, http_client.NeighbourFailed),
        ({"status": 502}, http_client.NeighbourFailed),
        ({"status": 503}, http_client.NeighbourUnavailable),
        ({"status": 429}, http_client.NeighbourUnavailable),
        ({"status": 504}, http_client.NeighbourTimeout),
        ({"fault": "reset"}, http_client.NeighbourFailed),
        ({"fault": "truncated"}, http_client.NeighbourFailed),
        ({"fault": "drip"}, http_client.NeighbourTimeout),
        ({"fault": "silent"}, http_client.NeighbourTimeout),
        ({"fault": "garbage"}, http_client.NeighbourGarbage),
    ],
)
async def test_never_sends_other_calls_twice(
    things: Neighbour, opened: Opened, given: dict[str, Any], failure: type[http_client.Failure]
) -> None:
    things.on("*", "/thing", **given)
    client = await opened(http_client.Qos(150, 3))
    with request_of(10) as here, pytest.raises(failure) as raised:
        await client.put(is_idempotent=False)
    assert type(raised.value) is failure
    assert len(things.calls()) == 1
    # Only who refused to begin has surely done nothing (503 may be answered).
    assert here.has_written is (failure is not http_client.NeighbourUnavailable)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "GET"])
async def test_does_not_let_aiohttp_repeat_on_a_dead_connection(things: Neighbour, opened: Opened, method: str) -> None:
    things.on("GET", "/warm", {"name": "x"})
    things.on(method, "/thing", fault="reset")
    client = await opened()
    await client._call("GET", "/warm", operation="warm", answer=None, is_idempotent=True)
    with pytest.raises(http_client.Failure):
        await client._call(method, "/thing", operation="cut", answer=None, is_idempotent=False)
    assert len(things.calls(method, "/thing")) == 1


async def test_says_that_a_read_that_was_cut_off_did_nothing(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", fault="reset")
    with request_of(5) as here, pytest.raises(http_client.NeighbourUnavailable):
        await (await opened()).get()
    assert len(things.calls()) == 3
    assert not here.has_written


async def test_says_that_nobody_was_there(opened: Opened, unused_tcp_port: int) -> None:
    client = await opened(url=f"http://127.0.0.1:{unused_tcp_port}")
    with request_of(5) as here, pytest.raises(http_client.NeighbourUnavailable) as raised:
        await client.put(is_idempotent=False)
    assert raised.value.details["reason"] == "not_connected"
    assert not here.has_written


async def test_remembers_that_an_earlier_attempt_may_have_done_it(things: Neighbour, opened: Opened) -> None:
    things.on("POST", "/thing", status=503)
    things.on("POST", "/thing", fault="reset", times=1)
    with request_of(5) as here, pytest.raises(http_client.NeighbourFailed):
        await (await opened(http_client.Qos(500, 2))).put()
    assert len(things.calls()) == 2
    assert here.has_written


async def test_notes_a_write_that_succeeded(things: Neighbour, opened: Opened) -> None:
    things.on("*", "/thing", {"name": "x"})
    client = await opened()
    with request_of(5) as here:
        await client.get()
        await client.put(changes=False)
        assert not here.has_written
        await client.put()
        assert here.has_written


# Time.


@pytest.mark.parametrize("fault", ["silent", "drip"])
async def test_waits_no_longer_than_the_rule_says(things: Neighbour, opened: Opened, fault: Any) -> None:
    things.on("GET", "/thing", fault=fault)
    client = await opened(http_client.Qos(100, 1))
    started = asyncio.get_running_loop().time()
    with pytest.raises(http_client.NeighbourTimeout):
        await client.get()
    assert 0.09 < asyncio.get_running_loop().time() - started < 1


async def test_waits_no_longer_than_its_caller(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", fault="silent")
    client = await opened(http_client.Qos(10_000, 3))
    started = asyncio.get_running_loop().time()
    with request_of(0.1), pytest.raises(http_client.NeighbourTimeout):
        await client.get()
    assert asyncio.get_running_loop().time() - started < 1
    assert int(things.calls()[0].headers["X-YaTaxi-Client-TimeoutMs"]) <= 100
    assert len(things.calls()) == 1


async def test_sends_nothing_when_the_time_is_spent(things: Neighbour, opened: Opened) -> None:
    with request_of(0), pytest.raises(http_client.NeighbourTimeout) as raised:
        await (await opened()).get()
    assert raised.value.details["reason"] == "deadline"
    assert things.calls() == []


async def test_waits_as_long_as_it_is_told(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", {"name": "x"})
    things.on("GET", "/thing", status=429, headers={"Retry-After": "1"}, times=1)
    started = asyncio.get_running_loop().time()
    with request_of(5):
        await (await opened()).get()
    assert asyncio.get_running_loop().time() - started >= 1
    assert len(things.calls()) == 2


async def test_gives_up_when_it_is_told_to_wait_past_the_deadline(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", status=503, headers={"Retry-After": "7"})
    with request_of(1), pytest.raises(http_client.NeighbourUnavailable) as raised:
        await (await opened()).get()
    assert raised.value.details["retry_after_s"] == 7
    assert len(things.calls()) == 1


@pytest.mark.parametrize("wait", ["Fri, 31 Dec 1999 23:59:59 GMT", "-1", "soon", "9" * 50, "٣"])
async def test_does_not_trip_over_a_strange_retry_after(things: Neighbour, opened: Opened, wait: str) -> None:
    things.on("GET", "/thing", {"name": "x"})
    things.on("GET", "/thing", status=503, headers={"Retry-After": wait}, times=1)
    assert await (await opened()).get()


async def test_says_that_nothing_was_sent_to_a_host_that_does_not_answer(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    # A host that drops packets can't be had on one machine, so it is played where the socket would connect.
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    client = await opened(http_client.Qos(100, 1), url="http://127.0.0.1:9")
    with request_of(5) as here, pytest.raises(http_client.NeighbourUnavailable) as raised:
        await client.put(is_idempotent=False)
    assert raised.value.details["reason"] == "connect_timeout"
    assert not here.has_written


# Garbage.


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Reply(b'{"name": "x"}', headers={"Content-Type": "text/html"}), "content_type"),
        (Reply(b'{"name": "x"}', headers={"Content-Type": "application/json; charset=koi8-r"}), "content_type"),
        (Reply(b'{"name": "x"'), "not_json"),
        (Reply(b'{"name": "x", "name": "y"}'), "not_json"),
        (Reply(b'{"name": NaN}'), "not_json"),
        (Reply(b'{"name": "\\ud800"}'), "not_json"),
        (Reply(b"[" * 500), "not_json"),
        (Reply(b"\xff\xfe"), "not_json"),
        (Reply(b""), "not_json"),
        (Reply(gzip.compress(b'{"name": "x"}'), headers={"Content-Encoding": "gzip"}), "not_json"),
        (Reply(b'{"name": "x"}', status=204), "not_json"),
        (Reply([]), "fields"),
        (Reply({"name": 5}), "fields"),
        (Reply({"name": "x", "items": [{"id": "1"}, {}]}), "fields"),
        (Reply({"name": "x"}, status=302, headers={"Location": "/elsewhere"}), "status"),
        (Reply(b'{"name": "' + b"x" * 2000 + b'"}'), "too_large"),
    ],
)
async def test_refuses_garbage(things: Neighbour, opened: Opened, operation: str, answer: Reply, reason: str) -> None:
    things.on("GET", "/thing", answer)
    with pytest.raises(http_client.NeighbourGarbage) as raised:
        await (await opened(max_answer_bytes=1000)).get(operation)
    assert raised.value.details["reason"] == reason
    assert len(things.calls()) == 1
    assert counted(operation, "garbage") == 1


async def test_names_the_fields_and_nothing_that_was_in_them(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", {"name": 79161234567, "items": [{"id": "1"}, {"id": ["+79161234567"]}]})
    with pytest.raises(http_client.NeighbourGarbage) as raised:
        await (await opened()).get()
    assert raised.value.details["fields"] == ["items.1.id", "name"]
    assert "7916" not in str(raised.value.details)


async def test_does_not_repeat_a_key_that_is_the_neighbours_own_text(things: Neighbour, opened: Opened) -> None:
    schema = http_client.Answer.from_dict({"ids": ma.fields.Dict(values=ma.fields.Integer(strict=True))})()
    things.on("GET", "/thing", {"ids": {"+79161234567": "x", "plain": "x"}})
    with pytest.raises(http_client.NeighbourGarbage) as raised:
        await (await opened()).get(answer=schema)
    assert raised.value.details["fields"] == ["ids.?.value", "ids.plain.value"]


async def test_remembers_no_cookies(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", {"name": "x"}, headers={"Set-Cookie": "session=1"})
    client = await opened(url=things.url.replace("127.0.0.1", "localhost"))
    await client.get()
    await client.get()
    assert "Cookie" not in things.calls()[1].headers


async def test_stops_reading_a_body_that_never_ends(things: Neighbour, opened: Opened) -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                await writer.drain()
                sent += 0x10000
        writer.close()

    with pytest.raises(http_client.NeighbourGarbage) as raised:
        await _asked(endless, opened)
    assert raised.value.details["reason"] == "too_large"
    assert sent < 64 << 20


async def test_does_not_wait_for_a_body_that_is_announced_too_large(opened: Opened) -> None:
    async def boast(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
        await reader.read()
        writer.close()

    with pytest.raises(http_client.NeighbourGarbage) as raised:
        await _asked(boast, opened)
    assert raised.value.details["reason"] == "too_large"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"\x00" * 99,
    ],
)
async def test_refuses_what_is_not_http(opened: Opened, answer: bytes) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    with pytest.raises(http_client.NeighbourGarbage):
        await _asked(other, opened)


async def _asked(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], opened: Opened) -> Any:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        client = await opened(http_client.Qos(2000, 1), url=f"http://127.0.0.1:{port}")
        return await client.get()
    finally:
        server.close()
        await server.wait_closed()


# Protection.


async def test_amplifies_a_sick_neighbour_by_a_tenth_at_most(
    things: Neighbour, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    things.on("GET", "/thing", status=500)
    client = await opened()
    for number in range(60):
        with pytest.raises(http_client.Failure):
            await client.get(f"amplified{number}")
    assert 60 < len(things.calls()) <= 60 * 1.1 + 5


async def test_opens_the_circuit_of_the_sick_operation_alone(things: Neighbour, opened: Opened, operation: str) -> None:
    things.on("GET", "/thing", status=500)
    client = await opened(http_client.Qos(500, 1))
    for _ in range(20):
        with pytest.raises(http_client.NeighbourFailed):
            await client.get(operation)
    with request_of(5) as here, pytest.raises(http_client.NeighbourUnavailable) as raised:
        await client.put(operation)
    assert raised.value.details["reason"] == "breaker_open"
    assert not here.has_written
    assert len(things.calls()) == 20
    assert counted(operation, "breaker_open") == 1
    assert metrics.value("client_breaker_state", operation=operation) == 2
    things.on("POST", "/thing", {"name": "x"})
    assert await client.put()


async def test_does_not_open_the_circuit_for_refusals_and_impatient_callers(
    things: Neighbour, opened: Opened, operation: str
) -> None:
    client = await opened(http_client.Qos(1000, 1))
    things.on("GET", "/thing", {"code": "not_found"}, status=404)
    for _ in range(30):
        with pytest.raises(http_client.NeighbourRefused):
            await client.get(operation)
    things.on("GET", "/thing", fault="silent")
    for _ in range(40):
        # So little time may end before there is a connection.
        with request_of(0.002), pytest.raises((http_client.NeighbourTimeout, http_client.NeighbourUnavailable)):
            await client.get(operation)
    things.on("GET", "/thing", {"name": "x"})
    assert await client.get(operation)


async def test_refuses_at_once_beyond_its_calls_in_flight(things: Neighbour, opened: Opened, operation: str) -> None:
    gate = asyncio.Event()

    async def wait(call: Call) -> dict[str, str]:
        await gate.wait()
        return {"name": "x"}

    things.on("GET", "/thing", wait)
    client = await opened(http_client.Qos(5000, 3), max_in_flight=2)
    waiting = [asyncio.create_task(client.get(operation)) for _ in range(2)]
    await until(lambda: len(things.calls()) == 2)
    with pytest.raises(http_client.NeighbourUnavailable) as raised:
        await client.get(operation)
    assert raised.value.details["reason"] == "too_many_in_flight"
    gate.set()
    await asyncio.gather(*waiting)
    assert await client.get(operation)
    assert counted(operation, "too_many_in_flight") == 1
    assert metrics.value("client_retries_total", operation=operation) == 0


async def test_leaves_nothing_behind_when_it_is_cancelled(things: Neighbour, opened: Opened, operation: str) -> None:
    things.on("*", "/thing", fault="silent")
    client = await opened(http_client.Qos(5000, 3), max_in_flight=1)
    with request_of(5) as here:
        call = asyncio.create_task(client.put(operation))
        await until(lambda: len(things.calls()) == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert here.has_written
    assert counted(operation, "cancelled") == 1
    things.on("GET", "/thing", {"name": "x"})
    assert await client.get(operation)


async def test_does_not_call_without_its_ticket(things: Neighbour) -> None:
    class Lost:
        def header(self) -> str:
            raise FileNotFoundError

    async with Things(things.url, ticket=Lost(), qos=dict) as client:
        with pytest.raises(http_client.NeighbourUnavailable) as raised:
            await client.put()
    assert raised.value.details["reason"] == "ticket"
    assert things.calls() == []


async def test_takes_a_new_rule_at_the_next_call(things: Neighbour) -> None:
    things.on("GET", "/thing", status=503)
    table = {"default": http_client.Qos(500, 1)}
    async with Things(things.url, ticket=None, qos=lambda: table) as client:
        for attempts in (1, 2):
            table["things/get"] = http_client.Qos(500, attempts)
            things.received.clear()
            with pytest.raises(http_client.NeighbourUnavailable):
                await client.get()
            assert len(things.calls()) == attempts


async def test_makes_three_attempts_at_most(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", status=503)
    with pytest.raises(http_client.NeighbourUnavailable):
        await (await opened(http_client.Qos(500, 9))).get()
    assert len(things.calls()) == 3


async def test_reaches_its_failpoints(things: Neighbour, opened: Opened) -> None:
    things.on("GET", "/thing", {"name": "x"})
    client = await opened()
    reached: list[str] = []
    failpoints.arm(reached.append)
    try:
        await client.get()
    finally:
        failpoints.arm(None)
    assert reached == ["things.get:before_call", "things.get:after_call"]


async def test_logs_a_failure_without_anything_that_was_said(things: Neighbour, opened: Opened) -> None:
    root = logging.root.handlers[:]
    file = io.BytesIO()
    logs.setup("maas", "INFO", file)
    try:
        things.on("POST", "/thing", {"name": {"phone": "hunter2"}})
        with pytest.raises(http_client.NeighbourGarbage):
            await (await opened()).put(body={"name": "hunter2"})
    finally:
        logging.captureWarnings(False)
        logs._open("INFO", None)
        logging.root.handlers[:] = root
    (line,) = (json.loads(line) for line in file.getvalue().splitlines())
    assert (line["event"], line["neighbour"], line["outcome"]) == ("neighbour_failed", "things", "garbage")
    assert (line["call"], line["reason"], line["fields"]) == ("put", "fields", ["name"])
    assert "dropped_fields" not in line
    assert b"hunter2" not in file.getvalue()


# Forwarding.


@pytest.mark.parametrize("status", [200, 404, 409, 429, 500, 503])
async def test_passes_any_answer_as_it_came(things: Neighbour, opened: Opened, status: int) -> None:
    things.on("POST", "/thing", b'{"code":  "as it is"}', status=status)
    raw = await (await opened()).forward("POST", is_idempotent=False, body=b'{"a":1}', query="q=%2F&q=2")
    assert (raw.status, raw.body) == (status, b'{"code":  "as it is"}')
    (call,) = things.calls()
    assert call.body == b'{"a":1}'


async def test_does_not_pass_a_redirect_or_a_broken_answer(things: Neighbour, opened: Opened) -> None:
    client = await opened(http_client.Qos(200, 1))
    things.on("GET", "/thing", status=302, headers={"Location": "http://169.254.169.254/"})
    with pytest.raises(http_client.NeighbourGarbage):
        await client.forward()
    things.on("GET", "/thing", fault="truncated")
    with pytest.raises(http_client.NeighbourUnavailable):
        await client.forward()
    assert len(things.calls()) == 2


# Rules.


def test_chooses_the_most_particular_rule() -> None:
    table = {"default": qos.Qos(1, 1), "coupons": qos.Qos(2, 1), "coupons/generate": qos.Qos(3, 1)}
    assert qos.chosen(table, "coupons", "coupons/generate").timeout_ms == 3
    assert qos.chosen(table, "coupons", "coupons/other").timeout_ms == 2
    assert qos.chosen(table, "vtb", "vtb/users").timeout_ms == 1
    assert qos.chosen({}, "vtb", "vtb/users") == http_client.DEFAULT_QOS


def test_loads_rules_from_the_config() -> None:
    shape = http_client.CLIENT_QOS.shape
    assert isinstance(shape, ma.fields.Dict)
    assert shape.deserialize({"default": {"timeout_ms": 300}}) == {"default": http_client.Qos(300, 1)}
    for wrong in ({"timeout_ms": 0}, {"timeout_ms": 10, "attempts": 4}, {}, {"timeout_ms": 10, "tries": 1}):
        with pytest.raises(ma.ValidationError):
            shape.deserialize({"default": wrong})
