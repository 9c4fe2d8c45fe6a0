"""What the pipeline costs: CPU µs per request of a trivial route, beside a bare aiohttp handler.

The server runs on one core and the load on another; contenders take turns within each round, and the first is run
twice, so that the difference between two runs of the same program is in the table too.

    python libs/kit/bench/web_bench.py --rounds 9 --seconds 2
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import uvloop
from aiohttp import web as framework

from kit import logs, tickets, web

PEM = tickets.new_key()
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


async def bare(port: int) -> int:
    """aiohttp's low-level server with one handler."""

    async def handle(request: framework.BaseRequest) -> framework.Response:
        return framework.Response(body=orjson.dumps(ANSWER), content_type="application/json")

    runner = framework.ServerRunner(framework.Server(handle, access_log=None))
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
    api = web.Api((logged, quiet), None, authenticate=lambda request: verifier.verify(request.headers[tickets.HEADER]))
    listener = web.Listener(api, "127.0.0.1", port)
    await listener.start()
    return listener.port


@dataclass(frozen=True)
class Contender:
    """A server and the path to ask it for."""

    name: str
    serve: Callable[[int], Any]
    path: str


CONTENDERS = (
    Contender("bare aiohttp", bare, "/bench/v1/quiet"),
    Contender("bare aiohttp again", bare, "/bench/v1/quiet"),
    Contender("pipeline, counted", piped, "/bench/v1/quiet"),
    Contender("pipeline, counted and logged", piped, "/bench/v1/logged"),
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


def request_of(path: str) -> bytes:
    """What a gateway sends."""
    headers = {
        "Host": "bench",
        tickets.HEADER: tickets.issue(PEM, PASSENGER, 86_400),
        "X-Yandex-UID": "4000000000",
        "X-YaTaxi-UserId": "a" * 32,
        "X-YaTaxi-PhoneId": "b" * 24,
        "X-YaTaxi-User": "personal_phone_id=" + "c" * 32,
        "X-YaTaxi-Pass-Flags": "portal,ya-plus",
        "X-YaRequestId": "d" * 32,
        "X-Request-Language": "ru",
        "X-YaTaxi-Client-TimeoutMs": "2000",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    return "\r\n".join([f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode()


async def one_client(port: int, data: bytes, until: float) -> int:
    """Requests answered on one kept connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    while time.perf_counter() < until:
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        size = head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
        await reader.readexactly(int(size))
        done += 1
    writer.close()
    return done


async def load(port: int, data: bytes, connections: int, seconds: float) -> int:
    """Requests answered over all connections."""
    until = time.perf_counter() + seconds
    return sum(await asyncio.gather(*(one_client(port, data, until) for _ in range(connections))))


@dataclass
class Running:
    """A server process and what was measured of it, round by round."""

    contender: Contender
    port: int
    pipe: Connection
    cpu_us: list[float]
    per_s: list[float]

    def measure(self, connections: int, seconds: float) -> None:
        data = request_of(self.contender.path)
        uvloop.run(load(self.port, data, connections, 0.2))
        began, before = time.perf_counter(), self.cpu_s()
        done = uvloop.run(load(self.port, data, connections, seconds))
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
    """Medians, and the medians of the differences to the first contender round by round."""
    first = found[0]
    rows = {
        each.contender.name: {
            "requests_per_s": round(statistics.median(each.per_s)),
            "cpu_us": round(statistics.median(each.cpu_us), 1),
            "more_us": round(statistics.median(a - b for a, b in zip(each.cpu_us, first.cpu_us, strict=True)), 1),
        }
        for each in found
    }
    if as_json:
        print(json.dumps(rows))
        return
    print(f"{'':32}{'requests/s':>12}{'CPU µs':>10}{'more µs':>10}")
    for name, row in rows.items():
        print(f"{name:32}{row['requests_per_s']:>12}{row['cpu_us']:>10}{row['more_us']:>10}")


if __name__ == "__main__":
    main()
