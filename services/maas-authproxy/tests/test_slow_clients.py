"""Five hundred clients that are slow in every way a client can be: they end in time, and honest ones go on (MA-15)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from maas_authproxy import app
from testkit.measuring import Difference
from testkit.waiting import until

from . import wire

INFO = "/maas-authproxy/v1/subscription/info"
EACH_KIND = 125
DEADLINE_S = 1.0
CUT_S = 6 * DEADLINE_S

Slow = Callable[[Any, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


async def _head_by_bytes(edge: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _drip(reader, writer, wire.request(edge, "GET", f"{INFO}?pass_id=p", f"X-Filler: {'a' * 4000}"))


async def _body_by_bytes(edge: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    whole = wire.request(edge, "POST", INFO, body=b" " * 4000 + b"{}")
    at = whole.index(b"\r\n\r\n") + 4
    writer.write(whole[:at])
    await _drip(reader, writer, whole[at:])


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
    ended = asyncio.ensure_future(reader.read())
    for byte in data:
        writer.write(bytes([byte]))
        if (await asyncio.wait([ended], timeout=0.1))[0]:
            break
    await ended


async def _silence(edge: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _answers_unread(edge: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(wire.request(edge, "POST", INFO) * 20)
    await asyncio.sleep(3 * DEADLINE_S)
    await reader.read()


KINDS: tuple[Slow, ...] = (_head_by_bytes, _body_by_bytes, _silence, _answers_unread)


class Crowd:
    """Slow clients, each kind from an address of its own; `open` are those that the edge still bears."""

    def __init__(self, edge: Any) -> None:
        self._edge = edge
        self._tasks: list[asyncio.Task[None]] = []
        self.open = 0

    async def _one(self, kind: Slow, address: str) -> None:
        reader, writer = await asyncio.open_connection(*wire.address(self._edge), local_addr=(address, 0))
        self.open += 1
        try:
            await kind(self._edge, reader, writer)
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()

    def come(self) -> None:
        """All of them, at once."""
        for number, kind in enumerate(KINDS):
            self._tasks += [asyncio.create_task(self._one(kind, f"127.0.1.{number + 1}")) for _ in range(EACH_KIND)]

    async def go(self) -> None:
        """Leaves nobody behind."""
        await asyncio.gather(*self._tasks)


@pytest.fixture
async def edge(make_database: Callable[..., Any], start: Any) -> AsyncIterator[Any]:
    """The edge with short deadlines; all else as in production."""
    deadlines = dict.fromkeys(("header_s", "body_s", "write_s"), DEADLINE_S) | {"idle_s": 2 * DEADLINE_S}
    async with make_database(app.SERVICE.streams) as dsn, start(dsn, **deadlines) as started:
        started.maas.on("*", "/{rest}", answer={"ok": "a" * 1000})
        started.partners.set(MAAS_AUTHPROXY_LIMITS={"per_second": 10_000, "burst": 100_000})
        await started.reload()
        yield started


async def test_five_hundred_slow_clients_stop_nobody_and_are_cut_in_time(edge: Any) -> None:
    cut = {limit: Difference("http_connections_cut_total", limit=limit) for limit in ("header", "connections")}
    crowd = Crowd(edge)
    crowd.come()
    await until(lambda: crowd.open >= 0.9 * EACH_KIND * len(KINDS))
    answers = [await edge.ask("GET", f"{INFO}?pass_id=p") for _ in range(100)]
    assert {answer.status for answer in answers} == {200}
    assert crowd.open > 0
    await until(lambda: crowd.open == 0, timeout_s=CUT_S)
    await crowd.go()
    assert cut["header"].value >= EACH_KIND
    assert cut["connections"].value == 0
    assert (await edge.ask("GET", f"{INFO}?pass_id=p")).status == 200


async def test_one_address_takes_no_more_than_its_share(make_database: Callable[..., Any], start: Any) -> None:
    async with make_database(app.SERVICE.streams) as dsn, start(dsn, connections_per_client=10) as edge:
        edge.maas.on("*", "/{rest}", answer={"ok": True})
        refused = Difference("http_connections_cut_total", limit="connections_per_client")
        target = wire.address(edge)
        held = [await asyncio.open_connection(*target, local_addr=("127.0.2.1", 0)) for _ in range(10)]
        reader, writer = await asyncio.open_connection(*target, local_addr=("127.0.2.1", 0))
        status, body = await wire.answer(reader)
        assert (status, body["code"], refused.value) == (503, "overloaded", 1)
        assert (await edge.ask("GET", f"{INFO}?pass_id=p")).status == 200
        for _, each in [*held, (reader, writer)]:
            each.close()
        request = wire.request(edge, "GET", f"{INFO}?pass_id=p")

        async def has_room() -> bool:
            return (await wire.sent(edge, request, local_addr=("127.0.2.1", 0)))[0] == 200

        await until(has_room)
