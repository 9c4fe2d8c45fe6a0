"""The process: what it keeps when it is killed, how it stops, and what it says to wrong arguments."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

Process = asyncio.subprocess.Process
Launch = Callable[..., Awaitable[tuple[Process, int]]]

GENERATE = {
    "token": "pass-1",
    "series_id": "metro-10",
    "yandex_uids": ["4001"],
    "rides": 10,
    "expires_at": "2099-01-01T00:00:00+00:00",
    "service": "maas",
}


@pytest.fixture
def arguments(keys: Any, tmp_path: Path) -> dict[str, str]:
    own = tmp_path / "tickets.json"
    own.write_text(json.dumps(dict(keys.tickets)))
    api_keys = tmp_path / "api_keys.json"
    api_keys.write_text('{"vtb": "vtb-1.key"}')
    return {
        "--port": "0",
        "--state": str(tmp_path / "state.json"),
        "--services": "maas=http://127.0.0.1:9",
        "--jwks": str(keys.jwks),
        "--tickets": str(own),
        "--api-keys": str(api_keys),
    }


def command(arguments: dict[str, str]) -> list[str]:
    return [sys.executable, "-m", "sandbox", *(word for pair in arguments.items() for word in pair)]


@pytest.fixture
async def launch(arguments: dict[str, str]) -> AsyncIterator[Launch]:
    running: list[Process] = []

    async def run() -> tuple[Process, int]:
        process = await asyncio.create_subprocess_exec(*command(arguments), stdout=asyncio.subprocess.PIPE)
        running.append(process)
        assert process.stdout is not None
        async with asyncio.timeout(10):
            line = json.loads(await process.stdout.readline())
        assert line["event"] == "sandbox_listens"
        return process, line["port"]

    yield run
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def generate(keys: Any, port: int) -> str:
    headers = {"X-Ya-Service-Ticket": keys.tickets["maas"], "X-Idempotency-Token": "pass-1"}
    url = f"http://127.0.0.1:{port}/coupons/internal/generate"
    async with aiohttp.ClientSession() as http, http.post(url, json=GENERATE, headers=headers) as response:
        assert response.status == 200
        return str((await response.json())["promocode"])


async def test_remembers_its_codes_after_kill_9(launch: Launch, keys: Any) -> None:
    process, port = await launch()
    code = await generate(keys, port)
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    _, port = await launch()
    assert await generate(keys, port) == code


async def test_remembers_its_people_after_kill_9(launch: Launch) -> None:
    sessions = []
    for _ in range(2):
        process, port = await launch()
        body = {"phone": "+79161234567", "yandex_uid": "4001"}
        async with aiohttp.ClientSession() as http, http.post(f"http://127.0.0.1:{port}/_people", json=body) as answer:
            sessions.append((await answer.json())["session"])
        process.kill()
        await process.wait()
    assert sessions[0] == sessions[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stops_cleanly(launch: Launch, number: signal.Signals) -> None:
    process, _ = await launch()
    process.send_signal(number)
    async with asyncio.timeout(5):
        assert await process.wait() == 0


async def test_explains_itself() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", "--help", stdout=asyncio.subprocess.PIPE
    )
    shown, _ = await process.communicate()
    assert process.returncode == 0
    for word in ("--state", "--services", "--jwks", "--tickets", "--api-keys"):
        assert word in shown.decode()


def broken(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


WRONG = [
    ("--services", "maas", "--services takes name=http://host:port, not 'maas'"),
    ("--services", "maas=ftp://x", "--services takes name=http://host:port, not 'maas=ftp://x'"),
    ("--jwks", "/nonexistent", "the JWKS file /nonexistent can't be read: No such file or directory"),
    ("--jwks", "{", "is not a set of keys"),
    ("--tickets", "/nonexistent", "the tickets file /nonexistent can't be read: No such file or directory"),
    ("--tickets", "{", "is not JSON"),
    ("--tickets", '{"coupons": 1}', "is not an object of caller and ticket"),
    (
        "--tickets",
        '{"coupons": "t"}',
        "has no ticket of passenger-authorizer, driver-authproxy, processing, products, totw",
    ),
    ("--api-keys", "/nonexistent", "the API keys file /nonexistent can't be read: No such file or directory"),
    ("--api-keys", '["vtb"]', "is not an object of partner and key"),
    ("--state", "{", "is not JSON"),
    ("--state", '{"version": 7}', "is not a state of version 1"),
    ("--state", '{"version": 1, "people": {"1": {"name": "A"}}}', "has records of another shape"),
    ("--state", '{"version": 1, "planets": {}}', "has records of another shape"),
    ("--state", "/nonexistent/state.json", "can't be written: No such file or directory"),
]


@pytest.mark.parametrize(("argument", "value", "sentence"), WRONG)
def test_says_in_one_sentence_what_is_wrong(
    argument: str, value: str, sentence: str, arguments: Any, tmp_path: Path, capsys: Any
) -> None:
    from sandbox import __main__ as process

    if value.startswith(("{", "[")):
        value = broken(tmp_path, "broken.json", value)
    words = [word for pair in (arguments | {argument: value}).items() for word in pair]
    assert process.main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("sandbox: ")
    assert sentence in said
    assert said.count("\n") == 1


async def test_exits_with_2_when_the_port_is_taken(arguments: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        arguments["--port"] = str(taken.getsockname()[1])
        process = await asyncio.create_subprocess_exec(*command(arguments), stderr=asyncio.subprocess.PIPE)
        _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode().startswith("sandbox: can't listen on 127.0.0.1:")
