"""What passing a call on costs: the edge with all its checks beside a bare aiohttp proxy with none.

Each server runs on one core, the load and a maas that answers at once on the other; contenders take turns within each
round, and the first is there twice, so that the difference between two runs of the same program is in the table too.

    python services/maas-authproxy/bench/proxy_bench.py --rounds 9 --seconds 2
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import running
import uvloop
from aiohttp import web as framework

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def bare(maas_port: int, core: int, pipe: Connection) -> None:
    """A proxy that looks at nothing: headers, body and answer go through as they are."""
    os.sched_setaffinity(0, {core})

    async def run() -> None:
        async with aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=128)) as session:

            async def handle(request: framework.BaseRequest) -> framework.Response:
                url = f"http://127.0.0.1:{maas_port}{request.raw_path}"
                headers = {name: value for name, value in request.headers.items() if name != "Host"}
                data = await request.read()
                async with session.request(request.method, url, headers=headers, data=data or None) as answer:
                    body = await answer.read()
                    return framework.Response(body=body, status=answer.status, content_type=answer.content_type)

            runner = framework.ServerRunner(framework.Server(handle, access_log=None))
            await runner.setup()
            await framework.TCPSite(runner, "127.0.0.1", 0).start()
            pipe.send(runner.addresses[0][1])
            await asyncio.Event().wait()

    uvloop.run(run())


@dataclass
class Contender:
    """A running server, and what was measured of it round by round."""

    name: str
    port: int
    pid: int
    data: bytes
    per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def measure(self, connections: int, seconds: float) -> None:
        """One round more."""
        uvloop.run(load(self.port, self.data, connections, 0.3))
        began, before = time.perf_counter(), _cpu_s(self.pid)
        done = uvloop.run(load(self.port, self.data, connections, seconds))
        self.per_s.append(done / (time.perf_counter() - began))
        self.cpu_us.append((_cpu_s(self.pid) - before) / done * 1e6)


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        parts = file.read().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) * _TICK_S


async def load(port: int, data: bytes, connections: int, seconds: float) -> int:
    """Requests answered over all connections."""
    until = time.perf_counter() + seconds

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        done = 0
        while time.perf_counter() < until:
            writer.write(data)
            await running.answered(reader)
            done += 1
        writer.close()
        return done

    return sum(await asyncio.gather(*(one() for _ in range(connections))))


def started(spawning: Any, target: Callable[..., None], *arguments: Any) -> tuple[Any, int]:
    """A process and the port that it tells."""
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=target, args=(*arguments, theirs), daemon=True)
    process.start()
    return process, int(ours.recv())


def show(found: list[Contender], as_json: bool) -> None:
    """Medians, and the medians of the ratios to the first contender round by round."""
    rows = {}
    for each in found:
        ratios = [mine / first for mine, first in zip(each.per_s, found[0].per_s, strict=True)]
        rows[each.name] = {
            "requests_per_s": round(statistics.median(each.per_s)),
            "cpu_us": round(statistics.median(each.cpu_us)),
            "ratio": round(statistics.median(ratios), 2),
        }
    if as_json:
        print(json.dumps(rows))
        return
    print(f"{'':28}{'requests/s':>12}{'CPU µs':>10}{'ratio':>8}")
    for name, row in rows.items():
        print(f"{name:28}{row['requests_per_s']:>12}{row['cpu_us']:>10}{row['ratio']:>8}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (9)")
    parser.add_argument("--seconds", type=float, default=2, help="seconds per contender and round (2)")
    parser.add_argument("--connections", type=int, default=32, help="kept connections (32)")
    parser.add_argument("--json", action="store_true", help="print the medians as JSON")
    asked = parser.parse_args()
    server_core, load_core = sorted(os.sched_getaffinity(0))[:2]
    spawning = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        dsn = stack.enter_context(running.database())
        os.sched_setaffinity(0, {load_core})
        _, maas_port = started(spawning, running.maas)
        proxies = [started(spawning, bare, maas_port, server_core) for _ in range(2)]
        process, port, key = stack.enter_context(running.edge(dsn, maas_port, server_core))
        data = running.request(key)
        names = ("bare aiohttp proxy", "bare aiohttp proxy again")
        found = [Contender(name, at, child.pid, data) for name, (child, at) in zip(names, proxies, strict=True)]
        found.append(Contender("maas-authproxy", port, process.pid, data))
        for _ in range(asked.rounds):
            for each in found:
                each.measure(asked.connections, asked.seconds)
        show(found, asked.json)


if __name__ == "__main__":
    main()
