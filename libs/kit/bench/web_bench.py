"""What the pipeline costs: CPU µs per request of a trivial route and of a state poll, beside bare aiohttp handlers.

The trivial route stands beside aiohttp's low-level server. The poll has a ticket, a passenger, a query and a tag, half
of the answers are 304 and half 600 bytes; it stands beside an aiohttp application that answers the same bytes to the
same requests. The server runs on one core and the load on another; contenders take turns within each round, and some
are run twice, so that the difference between two runs of the same program is in the table too.

    python libs/kit/bench/web_bench.py --rounds 9 --seconds 2
"""

import argparse
import asyncio
import gc
import itertools
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import uvloop
from aiohttp import web as framework

from kit import errors, fields, logs, tickets, web

PEM = tickets.new_key()
PASSENGERS = 512
ANSWER = {"status": "active", "pass_id": "p" * 32, "note": "a" * 900}
PASSENGER = "passenger-authorizer"


@web.get("/bench/v1/logged", callers=(PASSENGER,))
async def logged(ctx: None, call: web.Call) -> web.Ready:
    """A trivial route with everything."""
    return web.Ready(ANSWER)


@web.get("/bench/v1/quiet", callers=(PASSENGER,), is_logged=False)
async def quiet(ctx: None, call: web.Call) -> web.Ready:
    """The same, whose successes are counted and not logged."""
    return web.Ready(ANSWER)


class PollSchema(fields.Strict):
    """What a poll asks for."""

    order_id = fields.Id(required=True)
    wait_ms = fields.Whole(least=0, most=25_000)


POLL = PollSchema()


@dataclass(frozen=True, slots=True)
class State:
    """What is kept in memory of an order."""

    yandex_uid: str
    version: int
    content: bytes


def order_of(number: int) -> str:
    """The id of the order of one passenger."""
    return f"{number:032x}"


STATES = {
    order_of(n): State(str(4_000_000_000 + n), 17, orjson.dumps({"order_id": order_of(n), "note": "a" * 543}))
    for n in range(PASSENGERS)
}


@web.get("/bench/v1/state", callers=(PASSENGER,), query=POLL, is_logged=False, is_waiting=True, has_etag=True)
async def state(ctx: None, call: web.Call) -> web.Ready | web.NotModified:
    """A poll that memory answers at once."""
    found = STATES[call.args["order_id"]]
    if found.yandex_uid != call.the_passenger().yandex_uid:
        raise errors.NotAcceptable
    tag = str(found.version)
    return web.NotModified(tag) if call.known_etag == tag else web.Ready(found.content, etag=tag)


async def bare(port: int) -> int:
    """aiohttp's low-level server with one handler."""

    async def handle(request: framework.BaseRequest) -> framework.Response:
        return framework.Response(body=orjson.dumps(ANSWER), content_type="application/json")

    return await listening(framework.ServerRunner(framework.Server(handle, access_log=None)), port)


async def bare_application(port: int) -> int:
    """aiohttp's application with a router and one handler, which looks at the query and the tag and at nothing else."""

    async def handle(request: framework.Request) -> framework.Response:
        found = STATES[request.query["order_id"]]
        tag = f'"{found.version}"'
        if request.headers.get("If-None-Match") == tag:
            return framework.Response(status=304, headers={"ETag": tag})
        return framework.Response(body=found.content, content_type="application/json", headers={"ETag": tag})

    application = framework.Application()
    application.router.add_get("/bench/v1/state", handle)
    return await listening(framework.AppRunner(application, access_log=None), port)


async def listening(runner: framework.BaseRunner, port: int) -> int:
    """Starts it and tells its port."""
    await runner.setup()
    await framework.TCPSite(runner, "127.0.0.1", port).start()
    return int(runner.addresses[0][1])


async def piped(port: int) -> int:
    """The whole pipeline."""
    with tempfile.TemporaryDirectory() as folder:
        jwks = Path(folder) / "jwks.json"
        jwks.write_text(tickets.jwks(PEM))
        verifier = tickets.Verifier(jwks)
    verifier._look_at = float("inf")
    api = web.Api(
        (logged, quiet, state), None, authenticate=lambda request: verifier.verify(request.headers[tickets.HEADER])
    )
    listener = web.Listener(api, "127.0.0.1", port)
    await listener.start()
    return listener.port


@dataclass(frozen=True)
class Contender:
    """A server, the path to ask it for, and the name of the contender that it stands beside."""

    name: str
    serve: Callable[[int], Any]
    path: str
    beside: str


CONTENDERS = (
    Contender("bare aiohttp", bare, "/bench/v1/quiet", "bare aiohttp"),
    Contender("bare aiohttp again", bare, "/bench/v1/quiet", "bare aiohttp"),
    Contender("pipeline, counted", piped, "/bench/v1/quiet", "bare aiohttp"),
    Contender("pipeline, counted and logged", piped, "/bench/v1/logged", "bare aiohttp"),
    Contender("bare application, poll", bare_application, "/bench/v1/state", "bare application, poll"),
    Contender("bare application, poll again", bare_application, "/bench/v1/state", "bare application, poll"),
    Contender("state poll", piped, "/bench/v1/state", "bare application, poll"),
    Contender("state poll again", piped, "/bench/v1/state", "bare application, poll"),
)


def serve(contender: Contender, core: int, pipe: Connection) -> None:
    """A server process: tells its port, then its CPU seconds each time it is asked."""
    os.sched_setaffinity(0, {core})
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    logs.setup("bench")

    def answer() -> None:
        pipe.recv()
        pipe.send(time.process_time())

    async def run() -> None:
        pipe.send(await contender.serve(0))
        gc.collect()
        gc.freeze()
        loop = asyncio.get_running_loop()
        loop.add_reader(pipe.fileno(), answer)
        await asyncio.Event().wait()

    uvloop.run(run())


def requests_of(path: str) -> list[bytes]:
    """What a gateway sends, for passenger after passenger; every other one knows the present version of its state."""
    ticket = tickets.issue(PEM, PASSENGER, 86_400)
    return [request_of(path, number, ticket) for number in range(PASSENGERS)]


def request_of(path: str, number: int, ticket: str) -> bytes:
    """One request with everything in its head that such a request has."""
    headers = {
        "Host": "bench",
        tickets.HEADER: ticket,
        "X-Yandex-UID": str(4_000_000_000 + number),
        "X-YaTaxi-UserId": f"{number:032x}",
        "X-YaTaxi-PhoneId": f"{number:024x}",
        "X-YaTaxi-User": f"personal_phone_id={number:032x}",
        "X-YaTaxi-Pass-Flags": "portal,ya-plus",
        "X-YaRequestId": "d" * 32,
        "X-Request-Language": "ru",
        "X-YaTaxi-Client-TimeoutMs": "2000",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    if path.endswith("/state"):
        headers["If-None-Match"] = f'"{16 + number % 2}"'
        path += f"?order_id={order_of(number)}"
    return "\r\n".join([f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode()


async def one_client(port: int, asked: Iterator[bytes], until: float) -> int:
    """Requests answered on one kept connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    while time.perf_counter() < until:
        writer.write(next(asked))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 304")), head
        if head.startswith(b"HTTP/1.1 200"):
            size = head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
            await reader.readexactly(int(size))
        done += 1
    writer.close()
    return done


async def load(port: int, requests: list[bytes], connections: int, seconds: float) -> int:
    """Requests answered over all connections."""
    asked = itertools.cycle(requests)
    until = time.perf_counter() + seconds
    return sum(await asyncio.gather(*(one_client(port, asked, until) for _ in range(connections))))


@dataclass
class Running:
    """A server process and what was measured of it, round by round."""

    contender: Contender
    port: int
    pipe: Connection
    cpu_us: list[float]
    per_s: list[float]

    def measure(self, connections: int, seconds: float) -> None:
        requests = requests_of(self.contender.path)
        uvloop.run(load(self.port, requests, connections, 0.2))
        began, before = time.perf_counter(), self.cpu_s()
        done = uvloop.run(load(self.port, requests, connections, seconds))
        self.cpu_us.append((self.cpu_s() - before) / done * 1e6)
        self.per_s.append(done / (time.perf_counter() - began))

    def cpu_s(self) -> float:
        self.pipe.send(True)
        found: float = self.pipe.recv()
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (9)")
    parser.add_argument("--seconds", type=float, default=1.5, help="seconds per contender and round (1.5)")
    parser.add_argument("--connections", type=int, default=32, help="kept connections (32)")
    parser.add_argument("--json", action="store_true", help="print the medians as JSON")
    asked = parser.parse_args()
    server_core, load_core = sorted(os.sched_getaffinity(0))[:2]
    spawning = multiprocessing.get_context("fork")
    found: list[Running] = []
    children = []
    for contender in CONTENDERS:
        ours, theirs = spawning.Pipe()
        child = spawning.Process(target=serve, args=(contender, server_core, theirs), daemon=True)
        child.start()
        children.append(child)
        found.append(Running(contender, ours.recv(), ours, [], []))
    os.sched_setaffinity(0, {load_core})
    for _ in range(asked.rounds):
        for running in found:
            running.measure(asked.connections, asked.seconds)
    for child in children:
        child.terminate()
    show(found, asked.json)


def show(found: list[Running], as_json: bool) -> None:
    """Medians, and the medians of the differences and ratios, round by round, to the contender that each is beside."""
    by_name = {each.contender.name: each for each in found}
    rows = {each.contender.name: row_of(each, by_name[each.contender.beside]) for each in found}
    if as_json:
        print(json.dumps(rows))
        return
    print(f"{'':32}{'requests/s':>12}{'of bare':>9}{'CPU µs':>9}{'more µs':>9}")
    for name, row in rows.items():
        print(f"{name:32}{row['requests_per_s']:>12}{row['of_bare']:>9}{row['cpu_us']:>9}{row['more_us']:>9}")


def row_of(each: Running, bare: Running) -> dict[str, float]:
    """The medians of one contender."""
    return {
        "requests_per_s": round(statistics.median(each.per_s)),
        "of_bare": round(statistics.median(a / b for a, b in zip(each.per_s, bare.per_s, strict=True)), 2),
        "cpu_us": round(statistics.median(each.cpu_us), 1),
        "more_us": round(statistics.median(a - b for a, b in zip(each.cpu_us, bare.cpu_us, strict=True)), 1),
    }


if __name__ == "__main__":
    main()
