"""Stopping under load: what the kernel has accepted is answered."""

import asyncio
import socket
from typing import Any

import pytest

from kit import web
from testkit import until

ACT = "POST /demo/v1/act HTTP/1.1"


async def test_finishes_what_runs_and_says_that_the_connection_ends(demo: Any) -> None:
    go = asyncio.Event()

    async def act(call: web.Call) -> None:
        await go.wait()

    demo.ctx.act = act
    wire, idle = await demo.connect(), await demo.connect()
    await idle.write(demo.head())
    assert (await idle.answer()).status == 200
    await wire.write(demo.head(ACT, "Content-Length: 0"))
    await until(lambda: demo.ctx.handled == 2)
    stopping = asyncio.create_task(demo.listener.stop())
    assert await idle.is_closed()
    assert not stopping.done()
    with pytest.raises(ConnectionError):
        await demo.connect()
    go.set()
    answer = await wire.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    await stopping


async def test_answers_on_kept_connections_while_it_drains(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(demo.head())
    assert "connection" not in (await wire.answer()).headers
    demo.api.is_draining = True
    await wire.write(demo.head())
    answer = await wire.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert await wire.is_closed()


async def test_answers_what_arrived_just_before_the_stop(demo: Any) -> None:
    """Requests whose bytes nobody has looked at yet: on a kept connection, and on one still in the backlog."""
    kept = socket.create_connection(("127.0.0.1", demo.listener.port))
    kept.sendall(demo.head())
    kept.setblocking(False)
    loop = asyncio.get_running_loop()
    assert (await loop.sock_recv(kept, 9000)).startswith(b"HTTP/1.1 200")
    # The loop does not turn from here until the stop begins.
    kept.sendall(demo.head())
    fresh = [socket.create_connection(("127.0.0.1", demo.listener.port)) for _ in range(5)]
    for each in fresh:
        each.sendall(demo.head())
        each.setblocking(False)
    stopping = asyncio.create_task(demo.listener.stop())
    for each in (kept, *fresh):
        assert (await loop.sock_recv(each, 9000)).startswith(b"HTTP/1.1 200")
        each.close()
    await stopping


@pytest.mark.parametrize("limits", [web.Limits(drain_s=0.1, linger_s=0.1)])
async def test_cuts_what_does_not_end(demo: Any) -> None:
    async def act(call: web.Call) -> None:
        await asyncio.Event().wait()

    demo.ctx.act = act
    wire = await demo.connect()
    await wire.write(demo.head(ACT, "Content-Length: 0"))
    await until(lambda: demo.ctx.handled == 1)
    async with asyncio.timeout(2):
        await demo.listener.stop()
    assert await wire.is_closed()
    assert demo.api.in_flight == 0


async def test_fails_no_request_under_load(demo: Any) -> None:
    """Clients that keep their connections and open new ones when told to, until nobody listens any more."""

    async def act(call: web.Call) -> web.Ready:
        await asyncio.sleep(0.002)
        return web.Ready({})

    demo.ctx.act = act
    statuses: list[int] = []

    async def client() -> None:
        while True:
            try:
                wire = await demo.connect()
            except ConnectionError:
                return
            is_kept = True
            while is_kept:
                await wire.write(demo.head(ACT, "Content-Length: 0"))
                answer = await wire.answer()
                statuses.append(answer.status)
                is_kept = answer.headers.get("connection") != "close"
            wire.close()

    clients = [asyncio.create_task(client()) for _ in range(16)]
    await until(lambda: len(statuses) > 200)
    demo.api.is_draining = True
    count = len(statuses)
    await until(lambda: len(statuses) > count + 100)
    await demo.listener.stop()
    await asyncio.gather(*clients)
    assert set(statuses) == {200}


async def test_says_that_the_port_is_taken(demo: Any) -> None:
    second = web.Listener(demo.api, "127.0.0.1", demo.listener.port)
    with pytest.raises(web.PortTaken, match=f"can't listen on 127.0.0.1:{demo.listener.port}: Address already in use"):
        await second.start()
    await second.stop()


async def test_tells_where_it_listens(demo: Any) -> None:
    assert demo.listener.url == f"http://127.0.0.1:{demo.listener.port}"
    assert web.Listener(demo.api, "::1", 80).url == "http://[::1]:80"
