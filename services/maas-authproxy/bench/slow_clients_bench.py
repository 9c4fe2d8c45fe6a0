"""What honest callers of the edge notice of a crowd of slow clients: p50 and p99 of their calls, without and with it.

The edge is a whole process on one core, with a database and a maas that answers at once; honest calls, slow clients and
maas are on the other core. Rounds without, with and again without the crowd take turns, so that the difference between
two runs of the same is in the table too. The bar: p99 at most doubled (design: quality, bars for faults).

    python services/maas-authproxy/bench/slow_clients_bench.py --rounds 5 --slow 500
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import running
import uvloop

DRIP_S = 0.2
COMING_S = 4.0

type_of_slow = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Coroutine[Any, Any, None]]


async def slow_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
    """A head, byte by byte."""
    await _drip(reader, writer, running.request(key, filler="a" * 4000))


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
    """A body, byte by byte."""
    whole = running.request(key, "POST", b" " * 4000 + b"{}")
    writer.write(whole[:-4002])
    await _drip(reader, writer, whole[-4002:])


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
    """Nothing at all."""
    await reader.read()


async def slow_reader(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
    """Forty calls, whose answers nobody reads."""
    for _ in range(40):
        writer.write(running.request(key))
        await asyncio.sleep(COMING_S / 40)
    await asyncio.sleep(60)


KINDS: tuple[type_of_slow, ...] = (slow_head, slow_body, idle, slow_reader)


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
    ended = asyncio.ensure_future(reader.read())
    try:
        for byte in data:
            writer.write(bytes([byte]))
            if (await asyncio.wait([ended], timeout=DRIP_S))[0]:
                break
    finally:
        ended.cancel()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await ended


def crowd(port: int, key: str, count: int, core: int, pipe: Any) -> None:
    """A process of slow clients: told to come, it keeps `count` of them, who come again when they are cut."""
    os.sched_setaffinity(0, {core})
    counts = {"open": 0, "cut": 0}

    async def one(kind: type_of_slow, address: str) -> None:
        while True:
            with contextlib.suppress(OSError):
                await _visit(kind, address)
            counts["cut"] += 1

    async def _visit(kind: type_of_slow, address: str) -> None:
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            held.setblocking(False)
            held.bind((address, 0))
            await asyncio.get_running_loop().sock_connect(held, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=held.dup(), limit=4096)
        counts["open"] += 1
        try:
            await kind(reader, writer, key)
        finally:
            counts["open"] -= 1
            writer.transport.abort()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        tasks: list[asyncio.Task[None]] = []
        while await loop.run_in_executor(None, pipe.recv):
            # Each address has fewer than the edge allows one client.
            tasks = [
                loop.create_task(one(KINDS[number % 4], f"127.1.{number % 10}.{number % 4 + 1}"))
                for number in range(count)
            ]
            await asyncio.sleep(1.5 * COMING_S)
            pipe.send(counts["open"])
            await loop.run_in_executor(None, pipe.recv)
            pipe.send(dict(counts))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    uvloop.run(run())


async def _honest(port: int, data: bytes, due: float, per_s: float, until: float, found: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while due < until:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(data)
        await running.answered(reader)
        # From when it was due: a stall is felt by every call that had to wait for it.
        found.append((time.perf_counter() - due) * 1e3)
        due += 1 / per_s
    writer.close()


async def honest(port: int, data: bytes, connections: int, per_s: float, seconds: float) -> list[float]:
    """Milliseconds of each honest call."""
    found: list[float] = []
    began = time.perf_counter() + 0.1
    each = [
        _honest(port, data, began + number / per_s, per_s / connections, began + seconds, found)
        for number in range(connections)
    ]
    await asyncio.gather(*each)
    return found


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(asked: argparse.Namespace, port: int, key: str, pipe: Any) -> dict[str, list[tuple[float, float]]]:
    """p50 and p99 of each round of each contender."""
    found: dict[str, list[tuple[float, float]]] = {"without": [], "with": [], "without again": []}
    for _ in range(asked.rounds):
        for name, rounds in found.items():
            if name == "with":
                pipe.send(True)
                held = pipe.recv()
                assert held >= 0.9 * asked.slow, f"only {held} slow clients came in"
            took = uvloop.run(honest(port, running.request(key), asked.connections, asked.per_second, asked.seconds))
            rounds.append((percentile(took, 0.5), percentile(took, 0.99)))
            print(f"  {name}: p50 {rounds[-1][0]:.2f} ms, p99 {rounds[-1][1]:.2f} ms", file=sys.stderr)
            if name == "with":
                pipe.send(True)
                counts = pipe.recv()
                print(f"  {counts['open']} slow clients held, {counts['cut']} were cut so far", file=sys.stderr)
                time.sleep(1)
    return found


def show(found: dict[str, list[tuple[float, float]]], as_json: bool) -> None:
    """Medians, and the medians of the ratios of p99 to the first contender round by round."""
    rows = {}
    for name, rounds in found.items():
        ratios = [mine[1] / first[1] for mine, first in zip(rounds, found["without"], strict=True)]
        rows[name] = {
            "p50_ms": round(statistics.median(each[0] for each in rounds), 2),
            "p99_ms": round(statistics.median(each[1] for each in rounds), 2),
            "p99_ratio": round(statistics.median(ratios), 2),
        }
    if as_json:
        print(json.dumps(rows))
        return
    print(f"{'slow clients':20}{'p50 ms':>10}{'p99 ms':>10}{'p99 ratio':>12}")
    for name, row in rows.items():
        print(f"{name:20}{row['p50_ms']:>10}{row['p99_ms']:>10}{row['p99_ratio']:>12}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--seconds", type=float, default=6, help="seconds per contender and round (6)")
    parser.add_argument("--per-second", type=float, default=200, help="honest calls a second (200)")
    parser.add_argument("--connections", type=int, default=16, help="kept honest connections (16)")
    parser.add_argument("--slow", type=int, default=500, help="slow connections (500)")
    parser.add_argument("--json", action="store_true", help="print the medians as JSON")
    asked = parser.parse_args()
    own_core, load_core = sorted(os.sched_getaffinity(0))[:2]
    spawning = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        dsn = stack.enter_context(running.database())
        os.sched_setaffinity(0, {load_core})
        ours, theirs = spawning.Pipe()
        spawning.Process(target=running.maas, args=(theirs,), daemon=True).start()
        _, port, key = stack.enter_context(running.edge(dsn, ours.recv(), own_core))
        pipe, end = spawning.Pipe()
        spawning.Process(target=crowd, args=(port, key, asked.slow, load_core, end), daemon=True).start()
        show(measure(asked, port, key, pipe), asked.json)


if __name__ == "__main__":
    main()
