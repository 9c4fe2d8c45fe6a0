import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import pg
from local_stack import __main__ as commands
from local_stack import databases, failures, folder, services, stack
from testkit import servers, until
from testkit.servers import containers

_RUNS = """
import signal, sys
from pathlib import Path
from local_stack import stack
def report(name, text):
    print(name, text, flush=True)
whole = stack.Stack(Path(sys.argv[1]), table=[], keep_data=True, report=report)
whole.start()
print("up", flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    """A run folder that the servers' users can reach."""
    made = servers.run_folder(os.getpid())
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def whole(path: Path, said: list[str]) -> Iterator[stack.Stack]:
    """Engines and sandbox, no services."""
    with stack.Stack(path / "run", table=[], report=lambda name, text: said.append(f"{name}: {text}")) as running:
        yield running


def _dsn(whole: stack.Stack) -> str:
    server = whole.parts["postgres"].server
    assert hasattr(server, "dsn")
    return str(server.dsn)


async def _run(dsn: str, *statements: str) -> list[object]:
    db = await pg.Database.open(dsn, name="test", acquire_timeout_s=10)
    try:
        for statement in statements[:-1]:
            await db.run(statement)
        return await db.all(pg.value, statements[-1])
    finally:
        await db.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _port(whole: stack.Stack, name: str) -> int:
    return int(getattr(whole.parts[name].server, "port", 0))


def test_writes_where_everything_is(whole: stack.Stack) -> None:
    content = json.loads(whole.folder.stack_file.read_text())
    assert set(content) == {"services", "sandbox", "rabbitmq", "databases", "tickets", "api_keys"}
    assert set(content["tickets"]) == set(services.CALLERS)
    assert stat.S_IMODE(whole.folder.stack_file.stat().st_mode) == 0o600


def test_refuses_a_second_stack_in_the_folder(whole: stack.Stack) -> None:
    with pytest.raises(failures.AlreadyRunning, match=f"already runs in .* \\(pid {os.getpid()}\\)"):
        stack.Stack(whole.folder.path, table=[]).start()
    assert whole.parts["postgres"].server.is_alive()


async def test_keeps_data_when_postgres_is_killed(whole: stack.Stack, said: list[str]) -> None:
    await _run(_dsn(whole), "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)", "SELECT 1")
    whole.kill("postgres")
    assert not _listens(_port(whole, "postgres"))
    await until(lambda: any(line.startswith("postgres: is back") for line in said), timeout_s=20)
    assert await _run(_dsn(whole), "SELECT n FROM kept") == [7]


async def test_heals_the_sandbox(whole: stack.Stack, said: list[str]) -> None:
    whole.kill("sandbox")
    await until(lambda: any(line.startswith("sandbox: is back") for line in said), timeout_s=20)


async def test_restarts_rabbitmq_on_its_port(whole: stack.Stack) -> None:
    port = _port(whole, "rabbitmq")
    whole.kill("rabbitmq", stay_down=True)
    assert not _listens(port)
    await asyncio.to_thread(whole.start_part, "rabbitmq")
    assert _port(whole, "rabbitmq") == port
    assert _listens(port)


def test_names_the_parts_when_asked_for_another(whole: stack.Stack) -> None:
    with pytest.raises(failures.StackFailed, match="no part named maas runs; the parts are postgres, rabb"):
        whole.kill("maas")


async def test_makes_missing_databases_and_keeps_the_others(whole: stack.Stack) -> None:
    databases.create(_dsn(whole), ["one"])
    databases.create(_dsn(whole), ["one", "two"])
    names = await _run(_dsn(whole), "SELECT datname::text FROM pg_database")
    assert {"one", "two"} <= set(names)


def test_reports_the_service_that_failed_and_leaves_nothing_running(path: Path) -> None:
    table = [services.Service(name="no-such-service", api_port=8190, monitor_port=8290)]
    broken = stack.Stack(path / "broken", table=table)
    with pytest.raises(failures.StackFailed, match=r"(?s)no-such-service-migrate failed:.*No module named no_such"):
        broken.start()
    assert broken.parts == {}
    assert not broken.folder.stack_file.exists()
    with broken.folder.owned(lambda _: None):
        pass


@pytest.mark.skipif(containers.is_available(), reason="Docker's reaper takes its time")
async def test_leaves_no_orphan_when_its_runner_is_killed(path: Path) -> None:
    argv = [sys.executable, "-c", _RUNS, str(path / "killed")]
    first = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert first.stdout is not None
    await asyncio.wait_for(first.stdout.readuntil(b"up\n"), 60)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    second = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert second.stdout is not None
    said = await asyncio.wait_for(second.stdout.readuntil(b"up\n"), 90)
    second.send_signal(signal.SIGKILL)
    await second.wait()
    # The second took over the very folder, and its claim is given back once the last server is gone.
    assert b"rabbitmq ready" in said
    await asyncio.to_thread(_claim, path / "killed")
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout  # noqa: ASYNC221
    assert str(path / "killed") not in listed


def _claim(where: Path) -> None:
    with folder.Folder(where).owned(lambda _: None):
        pass


def test_says_that_no_stack_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["dead-tasks", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"local_stack: no stack runs in {tmp_path}; `make run` starts one\n"


def test_says_that_an_asked_port_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert commands.main(["run", "--data", str(tmp_path), "--port", f"sandbox={port}"]) == 1
    assert f"local_stack: port {port} was asked for sandbox" in capsys.readouterr().err
