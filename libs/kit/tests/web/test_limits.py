"""Slow and greedy clients: every connection ends by a deadline of ours, and honest ones do not notice."""

import asyncio
import contextlib
import resource
import socket
import time
from typing import Any

import pytest
from aiohttp import base_protocol, http_parser

from kit import metrics, web
from kit.web import limits as limiting
from kit.web import server
from testkit import until


async def closed_after_s(wire: Any, limit_s: float = 2.0) -> float:
    began = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        assert await wire.is_closed(limit_s), f"still open after {limit_s} s"
    return time.monotonic() - began


async def test_closes_on_half_a_head(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(demo.head()[:-10])
    assert 0.1 < await closed_after_s(wire) < 0.29
    assert demo.ctx.handled == 0


async def test_closes_on_a_head_that_drips(demo: Any) -> None:
    wire = await demo.connect()

    async def drip() -> None:
        for byte in demo.head():
            await wire.write(bytes([byte]))
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert await closed_after_s(wire) < 0.29
    dripping.cancel()
    assert demo.ctx.handled == 0


async def test_closes_on_half_a_head_after_a_good_request(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(demo.head())
    assert (await wire.answer()).status == 200
    await wire.write(b"GET /demo")
    assert 0.1 < await closed_after_s(wire) < 0.29


async def test_answers_half_a_body_when_its_time_is_over(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(demo.post(b'{"order_id": "a", "count": 1}')[:-5])
    answer = await wire.answer()
    assert (answer.status, answer.code) == (400, "body_too_slow")
    assert await wire.is_closed()
    assert demo.ctx.handled == 0


async def test_answers_half_a_body_when_the_callers_time_is_over(demo: Any) -> None:
    head = demo.post(b"{} ", "/demo/v1/order", "X-YaTaxi-Client-TimeoutMs: 50")
    answer = await demo.send(head[:-1])
    assert (answer.status, answer.code, answer.is_closed) == (504, "deadline_exceeded", True)


async def test_does_not_wait_for_the_body_of_an_unknown_route(demo: Any) -> None:
    answer = await demo.send(demo.post(b" " * 1000, "/demo/v1/nothing")[:-1])
    assert (answer.status, answer.code, answer.is_closed) == (404, "route_unknown", True)


async def test_closes_an_idle_connection_that_was_used(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(demo.head())
    assert (await wire.answer()).status == 200
    assert 0.2 < await closed_after_s(wire) < 0.6


async def test_closes_a_connection_that_says_nothing(demo: Any) -> None:
    assert 0.2 < await closed_after_s(await demo.connect()) < 0.6


async def test_serves_a_slow_but_honest_client(demo: Any) -> None:
    wire = await demo.connect()
    for _ in range(3):
        data = demo.post(b'{"order_id": "a", "count": 1}')
        for at in range(0, len(data), 150):
            await wire.write(data[at : at + 150])
            await asyncio.sleep(0.005)
        assert (await wire.answer()).status == 200


async def test_lets_a_handler_take_longer_than_any_head_may(demo: Any) -> None:
    async def slow(call: web.Call) -> None:
        await asyncio.sleep(0.4)

    demo.ctx.act = slow
    wire = await demo.connect()
    # Half of the next request is already there while the first one runs.
    following = demo.head()
    await wire.write(demo.head("POST /demo/v1/act HTTP/1.1", "Content-Length: 0"))
    await asyncio.sleep(0.02)
    await wire.write(following[:20])
    assert (await wire.answer()).status == 200
    await wire.write(following[20:])
    assert (await wire.answer()).status == 200


@pytest.mark.parametrize("limits", [web.Limits(connections=2)])
async def test_refuses_connections_beyond_the_limit(demo: Any) -> None:
    wires = [await demo.connect() for _ in range(2)]
    for wire in wires:
        await wire.write(demo.head())
        assert (await wire.answer()).status == 200
    before = metrics.value("http_connections_cut_total", limit="connections")
    answer = await demo.send(b"")
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert answer.is_closed
    assert metrics.value("http_connections_cut_total", limit="connections") == before + 1
    wires[0].close()

    async def has_room() -> bool:
        return bool((await demo.send(demo.head(), expect_close=False)).status == 200)

    await until(has_room)


async def _greedy(demo: Any, size: int) -> Any:
    """A client with a small buffer that has asked for `size` bytes and reads none of them."""

    async def much(call: web.Call) -> web.Raw:
        return web.Raw(b"a" * size, "application/octet-stream")

    demo.ctx.act = much
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", demo.listener.port))
        reader, writer = await asyncio.open_connection(sock=small.dup(), limit=4096)
    wire = type(await demo.connect())(reader, writer)
    demo.wires.append(wire)
    await wire.write(demo.head("POST /demo/v1/act HTTP/1.1", "Content-Length: 0"))
    return wire


@pytest.mark.parametrize("limits", [web.Limits(write_s=0.2)])
@pytest.mark.parametrize("size", [20_000_000, 8_000_000])
async def test_cuts_a_client_that_does_not_read(demo: Any, size: int) -> None:
    before = metrics.value("http_connections_cut_total", limit="write")
    await _greedy(demo, size)
    await until(lambda: metrics.value("http_connections_cut_total", limit="write") == before + 1)
    await until(lambda: len(demo.listener._server.connections) <= 1)


@pytest.mark.parametrize("limits", [web.Limits(write_s=0.2)])
async def test_cuts_a_client_that_asks_on_and_on_and_does_not_read(demo: Any) -> None:
    before = metrics.value("http_connections_cut_total", limit="write")
    wire = await _greedy(demo, 1_000_000)
    for _ in range(50):
        wire.writer.write(demo.head("POST /demo/v1/act HTTP/1.1", "Content-Length: 0"))
    await until(lambda: metrics.value("http_connections_cut_total", limit="write") == before + 1)
    assert demo.ctx.handled < 50


@pytest.mark.parametrize("limits", [web.Limits(write_s=0.5)])
async def test_waits_for_a_client_that_reads_in_time(demo: Any) -> None:
    wire = await _greedy(demo, 8_000_000)
    await asyncio.sleep(0.1)
    assert len((await wire.answer()).body) == 8_000_000
    await wire.write(demo.head())
    assert (await wire.answer()).status == 200


@pytest.mark.parametrize("limits", [web.Limits(connections_per_client=2)])
async def test_refuses_more_connections_of_one_client_and_no_others(demo: Any) -> None:
    before = metrics.value("http_connections_cut_total", limit="connections_per_client")
    held = [await demo.connect() for _ in range(2)]
    refused = await demo.send(b"")
    assert (refused.status, refused.code, refused.is_closed) == (503, "overloaded", True)
    assert metrics.value("http_connections_cut_total", limit="connections_per_client") == before + 1
    reader, writer = await asyncio.open_connection("127.0.0.1", demo.listener.port, local_addr=("127.0.0.2", 0))
    writer.write(demo.head())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    held[0].close()

    async def has_room() -> bool:
        return bool((await demo.send(demo.head(), expect_close=False)).status == 200)

    await until(has_room)
    for wire in demo.wires:
        wire.close()
    await until(lambda: not demo.listener._server.of_client)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_takes_the_holder_of_a_network_for_one_client(address: str, client: str) -> None:
    assert limiting.client_at(address) == client


async def test_has_room_for_as_many_files_as_connections(demo: Any) -> None:
    held = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, held[1]))
    try:
        listener = web.Listener(demo.api, "127.0.0.1", 0)
        await listener.start()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > web.Limits().connections > 5000
        await listener.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, held)


def test_the_attributes_of_the_framework_that_are_used_exist() -> None:
    used = {"_buffer_paused", "_drain_helper", "_paused", "_pause_reading_for_buffer", "_resume_reading_for_buffer"}
    assert used <= set(dir(base_protocol.BaseProtocol))
    assert {"feed_data", "message_consumed"} <= set(dir(http_parser.HttpRequestParser))


def test_runs_on_the_c_parser_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server.check_parser()
    monkeypatch.setattr(server, "HttpRequestParser", type("Parser", (), {"__module__": "aiohttp.http_parser"}))
    with pytest.raises(web.SlowParser, match="C parser"):
        server.check_parser()
