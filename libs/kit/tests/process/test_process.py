"""Whole processes: every word, wrong settings, and a SIGTERM under load."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from kit import migrate, pg, stq, tickets
from testkit import until

FOLDER = Path(__file__).parent
STREAMS = [stq.STREAM, migrate.Stream("demo", FOLDER / "demo" / "migrations")]
PEM = tickets.new_key()
HEADERS = {tickets.HEADER: tickets.issue(PEM, "maas", 600)}


@dataclass
class Process:
    """A running process and what it has logged."""

    child: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)
    reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        assert self.child.stdout is not None
        async for line in self.child.stdout:
            self.lines.append(json.loads(line))

    def said(self, event: str) -> dict[str, Any] | None:
        return next((line for line in self.lines if line["event"] == event), None)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{(self.said('started') or {})['api_port']}"

    @property
    def monitor(self) -> str:
        return f"http://127.0.0.1:{(self.said('started') or {})['monitor_port']}"

    async def errors(self) -> bytes:
        assert self.child.stderr is not None
        return await self.child.stderr.read()

    async def ended(self) -> int:
        async with asyncio.timeout(15):
            await self.child.wait()
        if self.reading:
            await self.reading
        assert self.child.returncode is not None
        return self.child.returncode


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "jwks.json").write_text(tickets.jwks(PEM))
    (tmp_path / "ticket").write_text(tickets.issue(PEM, "demo", 600))
    (tmp_path / "dynamic.yaml").write_text("configs: {}\nexperiments: {}\n")
    found = {
        "API_PORT": "0",
        "MONITOR_PORT": "0",
        "DATABASE_DSN": "postgresql://nobody@127.0.0.1:1/nothing",
        "RABBITMQ_URL": "memory:",
        "TICKET_FILE": str(tmp_path / "ticket"),
        "JWKS_FILE": str(tmp_path / "jwks.json"),
        "DYNAMIC_CONFIG": str(tmp_path / "dynamic.yaml"),
        "DRAIN_S": "0.3",
    }
    return {f"DEMO_{name}": value for name, value in found.items()}


@pytest.fixture
async def database(make_database: Any, settings: dict[str, str]) -> AsyncIterator[pg.Database]:
    async with make_database(STREAMS) as dsn:
        settings["DEMO_DATABASE_DSN"] = dsn
        db = await pg.Database.open(dsn, name="test")
        yield db
        await db.close()


async def started(settings: dict[str, str], *words: str) -> Process:
    environment = {"PATH": os.environ["PATH"], **settings}
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo", *words, stdout=pipe, stderr=pipe, env=environment, cwd=FOLDER
    )
    return Process(child)


async def asked(settings: dict[str, str], *words: str) -> tuple[int, str, str]:
    """The exit status, stdout and stderr of a word that ends by itself."""
    process = await started(settings, *words)
    async with asyncio.timeout(15):
        out, err = await process.child.communicate()
    assert process.child.returncode is not None
    return process.child.returncode, out.decode(), err.decode()


type_of_live = Callable[..., Awaitable[Process]]


@pytest.fixture
async def live(settings: dict[str, str]) -> AsyncIterator[type_of_live]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(*words: str) -> Process:
            process = await started(settings, *words)
            process.reading = asyncio.create_task(process.read())
            stack.push_async_callback(ended, process)
            await until(lambda: process.said("started") or process.child.returncode is not None, timeout_s=15)
            assert process.said("started"), (await process.errors()).decode()
            return process

        yield start


async def ended(process: Process) -> None:
    if process.child.returncode is None:
        process.child.kill()
    await process.ended()


def assert_sentence(err: str, *words: str) -> None:
    assert "Traceback" not in err
    assert all(word in err for word in words), err


async def test_prints_the_description(settings: dict[str, str]) -> None:
    status, out, err = await asked({}, "openapi")
    assert (status, err) == (0, "")
    assert list(yaml.safe_load(out)["paths"]) == ["/demo/v1/note"]


async def test_explains_its_words() -> None:
    status, out, _ = await asked({}, "--help")
    assert status == 0
    for word in ("all", "serve", "work", "migrate", "tasks", "openapi", "notes"):
        assert f"\n    {word} " in out
    status, out, err = await asked({}, "dance")
    assert (status, out) == (2, "")
    assert_sentence(err, "dance")


async def test_says_all_that_is_wrong_with_the_settings(settings: dict[str, str]) -> None:
    del settings["DEMO_JWKS_FILE"]
    settings["DEMO_API_PORT"] = "many"
    status, out, err = await asked(settings, "all")
    assert (status, out) == (2, "")
    assert_sentence(err, "DEMO_JWKS_FILE: is not set", "DEMO_API_PORT: is not a whole number")


@pytest.mark.parametrize(("name", "text"), [("DEMO_JWKS_FILE", "{"), ("DEMO_DYNAMIC_CONFIG", "configs: {UNKNOWN: 1}")])
async def test_says_which_file_is_broken(settings: dict[str, str], tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "broken").write_text(text)
    settings[name] = str(tmp_path / "broken")
    status, _, err = await asked(settings, "all")
    assert status == 2
    assert_sentence(err)
    assert len(err.strip()) > 10


@pytest.mark.parametrize("name", ["DEMO_API_PORT", "DEMO_MONITOR_PORT"])
async def test_says_that_a_port_is_taken(settings: dict[str, str], name: str, database: pg.Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings[name] = str(taken.getsockname()[1])
        status, _, err = await asked(settings, "all")
    assert status == 1
    assert err == f"demo: can't listen on 127.0.0.1:{settings[name]}: Address already in use\n"


async def test_migrates(settings: dict[str, str], make_database: Any) -> None:
    async with make_database([]) as dsn:
        settings["DEMO_DATABASE_DSN"] = dsn
        for expected in ("notes", ""):
            status, out, err = await asked(settings, "migrate")
            assert (status, err) == (0, "")
            assert expected in out
        assert migrate.pending(dsn, STREAMS) == []


async def test_says_that_it_cannot_migrate(settings: dict[str, str]) -> None:
    status, _, err = await asked(settings, "migrate")
    assert status == 1
    assert_sentence(err, "demo: ")


async def test_runs_the_commands_of_the_service(settings: dict[str, str], database: pg.Database) -> None:
    await database.run("INSERT INTO notes VALUES ('a', true), ('b', true)")
    status, out, err = await asked(settings, "notes", "--counted")
    assert (status, err) == (0, "")
    assert out == "2\n"


async def posted(session: aiohttp.ClientSession, url: str, number: int) -> int:
    async with session.post(f"{url}/demo/v1/note", json={"id": f"n{number}"}, headers=HEADERS) as answer:
        await answer.read()
        return answer.status


async def status_of(session: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with session.get(url) as answer:
        return answer.status, await answer.json()


async def counted(database: pg.Database) -> int:
    return int(await database.one(pg.value, "SELECT count(*) AS n FROM notes WHERE is_counted"))


async def test_serves_and_works_in_one_process(live: type_of_live, database: pg.Database) -> None:
    process = await live("all")
    async with aiohttp.ClientSession() as session:
        await until(lambda: _is_ready(session, process))
        assert await posted(session, process.api, 1) == 200
        await until(lambda: counted(database))
        status, form = await status_of(session, f"{process.api}/ready")
        assert (status, form["code"]) == (404, "route_unknown")
    process.child.send_signal(signal.SIGTERM)
    assert await process.ended() == 0
    assert process.lines[-1]["event"] == "stopped"


async def _is_ready(session: aiohttp.ClientSession, process: Process) -> bool:
    return (await status_of(session, f"{process.monitor}/ready"))[0] == 200


async def test_splits_serving_from_working(live: type_of_live, database: pg.Database) -> None:
    serving = await live("serve")
    async with aiohttp.ClientSession() as session:
        assert await posted(session, serving.api, 1) == 200
        assert await counted(database) == 0
        working = await live("work")
        await until(lambda: counted(database))
        assert (working.said("started") or {})["api_port"] is None
        await until(lambda: _is_ready(session, working))
    for process in (serving, working):
        process.child.send_signal(signal.SIGINT)
        assert await process.ended() == 0


async def test_starts_without_a_database_and_says_so(live: type_of_live) -> None:
    process = await live("all")
    async with aiohttp.ClientSession() as session:
        assert await status_of(session, f"{process.monitor}/ping") == (200, {})
        status, form = await status_of(session, f"{process.monitor}/ready")
        assert (status, set(form["details"]["failing"])) == (503, {"database", "migrations"})
        assert await posted(session, process.api, 1) == 503
    process.child.send_signal(signal.SIGTERM)
    assert await process.ended() == 0


async def test_works_with_the_broker(
    live: type_of_live, settings: dict[str, str], database: pg.Database, rabbitmq_url: str
) -> None:
    settings["DEMO_RABBITMQ_URL"] = rabbitmq_url
    process = await live("all")
    async with aiohttp.ClientSession() as session:
        assert await posted(session, process.api, 1) == 200
    await until(lambda: counted(database), timeout_s=10)
    process.child.send_signal(signal.SIGTERM)
    assert await process.ended() == 0


async def test_answers_who_waits_when_it_is_told_to_stop(live: type_of_live, database: pg.Database) -> None:
    process = await live("all")
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        waiting = asyncio.create_task(session.get(f"{process.api}/demo/v1/note", params={"id": "a"}))

        async def is_waiting() -> bool:
            async with session.get(f"{process.monitor}/metrics") as response:
                return "http_requests_waiting 1" in await response.text()

        await until(is_waiting)
        process.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            answer = await waiting
        assert (answer.status, answer.headers["ETag"], answer.headers["Connection"]) == (200, '"1"', "close")
        answer.release()
    assert await process.ended() == 0


async def test_fails_no_request_when_it_is_told_to_stop(live: type_of_live, database: pg.Database) -> None:
    process = await live("all")
    statuses: list[int] = []
    numbers = iter(range(1_000_000))
    failures: list[BaseException] = []

    async def client(session: aiohttp.ClientSession) -> None:
        while True:
            try:
                statuses.append(await posted(session, process.api, next(numbers)))
            except aiohttp.ClientConnectorError:
                return  # nobody listens any more: nothing was accepted
            except (aiohttp.ClientError, OSError) as failure:
                failures.append(failure)
                return

    async with aiohttp.ClientSession() as session:
        clients = [asyncio.create_task(client(session)) for _ in range(12)]
        await until(lambda: len(statuses) > 100)
        process.child.send_signal(signal.SIGTERM)
        await until(lambda: process.said("stopping"))
        status, form = await status_of(session, f"{process.monitor}/ready")
        assert (status, form["details"]["failing"]) == (503, {"draining": "draining"})
        count = len(statuses)
        await until(lambda: len(statuses) > count)
        await asyncio.gather(*clients)
    assert await process.ended() == 0
    assert (failures, set(statuses)) == ([], {200})
    stored = await database.one(pg.value, "SELECT count(*) AS n FROM notes")
    assert stored == len(statuses)
