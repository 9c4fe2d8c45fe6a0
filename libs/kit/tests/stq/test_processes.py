"""Workers that are killed and paused, as processes, with the leases of production."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from kit import pg
from testkit.waiting import until

Process = asyncio.subprocess.Process
Start = Callable[..., Awaitable[Process]]


@pytest_asyncio.fixture
async def start(bench: Any) -> AsyncIterator[Start]:
    started: list[Process] = []

    async def start_process(heartbeat_s: float = 3.0) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).parent / "worker_process.py"),
            bench.db.dsn,
            bench.service,
            str(heartbeat_s),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    await bench.db.run("DROP TABLE IF EXISTS said")
    await bench.db.run("CREATE TABLE said (attempt integer)")
    yield start_process
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def heard(process: Process, word: str, timeout_s: float = 10) -> str:
    """The next line that begins with `word`; log lines are passed over."""
    assert process.stdout is not None
    async with asyncio.timeout(timeout_s):
        while True:
            line = (await process.stdout.readline()).decode().strip()
            assert line, f"the process ended before it said {word!r}"
            if line.startswith(word):
                return line


async def said(bench: Any) -> list[int]:
    found: list[int] = await bench.db.all(pg.value, "SELECT attempt FROM said")
    return found


async def test_takes_over_from_a_killed_worker_within_15_s(bench: Any, start: Start) -> None:
    await bench.enqueue("1")
    first = await start()
    await heard(first, "begun 1")
    second = await start()
    first.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    await heard(second, "begun 2", timeout_s=20)
    assert time.monotonic() - killed < 15
    await heard(second, "finished")
    assert await said(bench) == [2]


async def test_refuses_late_finish_of_a_paused_worker(bench: Any, start: Start) -> None:
    await bench.enqueue("1")
    # Without a heartbeat, which would end the work first: here the fence alone must hold.
    paused = await start(heartbeat_s=3600)
    await heard(paused, "begun 1")
    paused.send_signal(signal.SIGSTOP)
    second = await start()
    await heard(second, "begun 2", timeout_s=20)
    await heard(second, "finished")
    paused.send_signal(signal.SIGCONT)
    assert paused.stdin is not None
    paused.stdin.write(b"go\n")
    await heard(paused, "lost")
    assert await said(bench) == [2]
    await until(lambda: bench.is_done("1"))
