"""What clients that wait cost: resident memory of the process for each, connection and all, and its CPU meanwhile.

The server runs in a process of its own; its memory is read before the first client and when all of them wait, its CPU
over some seconds in which nothing happens, then over the answers to all of them at once.

    python libs/kit/bench/waiting_bench.py --clients 5000
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from kit import fields, logs, metrics, tickets, web

PEM = os.environ.setdefault("BENCH_KEY", tickets.new_key())
PASSENGER = "passenger-authorizer"


class PollSchema(fields.Strict):
    """What a poll asks for."""

    order_id = fields.Id(required=True)
    wait_ms = fields.Whole(least=0, most=25_000)


@web.get("/bench/v1/state", callers=(PASSENGER,), query=PollSchema(), is_logged=False, is_waiting=True, has_etag=True)
async def state(ctx: asyncio.Event, call: web.Call) -> web.Ready:
    """Waits for what all wait for, each as long as it may."""
    call.the_passenger()
    async with asyncio.timeout(call.remaining_s):
        await ctx.wait()
    return web.Ready(b'{"version":2}', etag="2")


def rss_bytes() -> int:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def serve(pipe: Connection, clients: int) -> None:
    """A server process: tells its port, then obeys words."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    logs.setup("bench")

    async def run() -> None:
        happened, ended = asyncio.Event(), asyncio.Event()
        with tempfile.TemporaryDirectory() as folder:
            jwks = Path(folder) / "jwks.json"
            jwks.write_text(tickets.jwks(PEM))
            verifier = tickets.Verifier(jwks)
        verifier._look_at = float("inf")
        api = web.Api((state,), happened, authenticate=lambda request: verifier.verify(request.headers[tickets.HEADER]))
        listener = web.Listener(api, "127.0.0.1", 0, web.Limits(connections=clients + 100, waiting=clients))
        await listener.start()
        gc.collect()
        gc.freeze()

        def obey() -> None:
            word = pipe.recv()
            if word == "happen":
                happened.set()
            elif word == "end":
                ended.set()
            waiting = metrics.value("http_requests_waiting")
            pipe.send({"rss": rss_bytes(), "cpu_s": time.process_time(), "waiting": waiting})

        asyncio.get_running_loop().add_reader(pipe.fileno(), obey)
        pipe.send(listener.port)
        await ended.wait()

    uvloop.run(run())


def request_of(number: int, ticket: str) -> bytes:
    """What a gateway sends of one passenger."""
    lines = (
        f"GET /bench/v1/state?order_id={number:032x}&wait_ms=25000 HTTP/1.1",
        "Host: bench",
        f"{tickets.HEADER}: {ticket}",
        f"X-Yandex-UID: {4_000_000_000 + number}",
        f"X-YaTaxi-UserId: {number:032x}",
        f"X-YaTaxi-PhoneId: {number:024x}",
        f"X-YaTaxi-User: personal_phone_id={number:032x}",
        "X-YaTaxi-Pass-Flags: portal,ya-plus",
        f"X-YaRequestId: {number:032x}",
        "X-Request-Language: ru",
        "X-YaTaxi-Client-TimeoutMs: 60000",
        f"traceparent: 00-{number + 1:032x}-b7ad6b7169203331-01",
        'If-None-Match: "1"',
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii")


async def measured(port: int, pipe: Connection, clients: int, seconds: float) -> dict[str, float]:
    """The figures of one run."""

    def ask(word: str) -> dict[str, Any]:
        pipe.send(word)
        found: dict[str, Any] = pipe.recv()
        return found

    ticket = tickets.issue(PEM, PASSENGER, 86_400)
    empty = ask("look")
    wires = []
    for number in range(clients):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_of(number, ticket))
        wires.append((reader, writer))
    while (full := ask("look"))["waiting"] < clients:
        await asyncio.sleep(0.1)
    await asyncio.sleep(seconds)
    later = ask("look")
    ask("happen")
    for reader, _ in wires:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    answered = ask("end")
    return {
        "clients": clients,
        "kilobytes_each": round((full["rss"] - empty["rss"]) / clients / 1024, 1),
        "megabytes_in_all": round((full["rss"] - empty["rss"]) / 1024**2, 1),
        "cpu_percent_meanwhile": round((later["cpu_s"] - full["cpu_s"]) / seconds * 100, 2),
        "cpu_us_each_when_answered": round((answered["cpu_s"] - later["cpu_s"]) / clients * 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=5000, help="clients that wait at once (5000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds of waiting that are looked at (5)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, asked.clients + 200), most))
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, asked.clients), daemon=True)
    child.start()
    found = uvloop.run(measured(ours.recv(), ours, asked.clients, asked.seconds))
    child.join(5)
    if asked.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name.replace('_', ' '):32}{value:>12}")


if __name__ == "__main__":
    main()
