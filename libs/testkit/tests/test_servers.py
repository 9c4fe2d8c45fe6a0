import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from testkit import plugin, servers, until
from testkit.servers import machine, processes

_STARTS_POSTGRES = """
import os, signal
from testkit import servers
folder = servers.run_folder(os.getpid())
server = servers.own_postgres(folder / "pg")
server.start()
print(folder, server.port, server.process.keeper_pid, flush=True)
signal.pause()
"""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_shares_one_postgres_in_a_run(postgres_server: plugin.PostgresServer, testkit_run: plugin.Run) -> None:
    assert postgres_server.dsn.startswith("postgresql://")
    assert str(testkit_run.owner) in testkit_run.folder.name


async def test_returns_data_after_kill(own_postgres: servers.PgServer) -> None:
    port = own_postgres.port
    own_postgres.kill()
    assert not own_postgres.is_alive()
    assert not _listens(port)
    await asyncio.to_thread(own_postgres.start)
    assert own_postgres.port == port
    assert _listens(port)


async def test_postgres_comes_back_after_polite_stop(own_postgres: servers.PgServer) -> None:
    own_postgres.stop()
    assert not _listens(own_postgres.port)
    await asyncio.to_thread(own_postgres.start)
    assert own_postgres.is_alive()


def test_rabbitmq_comes_back_on_its_port_after_kill(own_rabbitmq: servers.RabbitServer) -> None:
    address = own_rabbitmq.url
    own_rabbitmq.kill()
    assert not _listens(own_rabbitmq.port)
    own_rabbitmq.start()
    assert own_rabbitmq.url == address
    assert _listens(own_rabbitmq.port)


def test_rabbitmq_takes_orders_of_its_operator(own_rabbitmq: servers.RabbitServer) -> None:
    if not isinstance(own_rabbitmq, machine.RabbitMQ):
        pytest.skip("a container has its own rabbitmqctl")
    assert "guest" in own_rabbitmq.control("list_users")
    with pytest.raises(servers.ServerFailed, match="rabbitmqctl nonsense failed"):
        own_rabbitmq.control("nonsense")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_leaves_nothing_when_the_test_process_dies(ending: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _STARTS_POSTGRES], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder, port, keeper = process.stdout.readline().split()
        assert _listens(int(port))
        process.send_signal(ending)
    assert processes.wait_for(lambda: not _is_there(int(keeper)), 10)
    assert not _listens(int(port))
    assert not Path(folder, "pg").exists()


async def test_server_dies_with_its_keeper(own_postgres: servers.PgServer) -> None:
    if not isinstance(own_postgres, machine.Postgres):
        pytest.skip("containers have no keeper")
    assert own_postgres.process is not None
    assert own_postgres.process.keeper_pid is not None
    os.kill(own_postgres.process.keeper_pid, signal.SIGKILL)
    await until(lambda: not _listens(own_postgres.port))
    await until(lambda: not own_postgres.is_alive())


async def test_kills_the_daemons_of_a_server(tmp_path: Path) -> None:
    daemon = "import os, signal; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0)"
    daemon += f"; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); signal.pause()"
    script = f"import subprocess, sys, signal; subprocess.run([sys.executable, '-c', {daemon!r}]); signal.pause()"
    process = processes.Process("noisy", [sys.executable, "-c", script], log=tmp_path / "log", env={})
    process.start()
    pid = int(await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    process.stop()
    assert not _is_there(pid)


def test_uses_force_when_a_server_will_not_stop(tmp_path: Path) -> None:
    script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    process = processes.Process("stubborn", [sys.executable, "-c", script], log=tmp_path / "log", env={}, grace_s=0.2)
    process.start()
    assert processes.wait_for(lambda: "ready" in processes.log_tail(tmp_path / "log"), 10)
    process.stop()
    assert process.exit_code() == 128 + signal.SIGKILL


def test_names_a_command_that_cannot_be_run(tmp_path: Path) -> None:
    process = processes.Process("ghost", ["/does/not/exist"], log=tmp_path / "log", env={})
    with pytest.raises(servers.ServerFailed, match=r"ghost cannot be started: cannot run /does/not/exist"):
        process.start()


def test_takes_the_address_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_POSTGRES_DSN", "postgresql://somewhere/db")
    monkeypatch.setenv("TEST_RABBITMQ_URL", "amqp://somewhere/")
    with servers.postgres() as dsn, servers.rabbitmq() as url:
        assert (dsn, url) == ("postgresql://somewhere/db", "amqp://somewhere/")


def test_says_in_a_sentence_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(machine, "postgres_binaries", lambda: None)
    monkeypatch.setattr(machine, "rabbitmq_binaries", lambda: None)
    with pytest.raises(
        servers.ServerMissing, match=r"^PostgreSQL is not to be had: set TEST_POSTGRES_DSN.*postgresql\)$"
    ):
        servers.own_postgres(tmp_path)
    with pytest.raises(servers.ServerMissing, match=r"^RabbitMQ is not to be had: set TEST_RABBITMQ_URL"):
        servers.own_rabbitmq(tmp_path)


def test_says_why_postgres_did_not_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    server = machine.Postgres(servers.run_folder(os.getpid()) / "pg", settings=("no_such_setting=1",))
    with pytest.raises(servers.ServerFailed, match="no_such_setting"):
        server.start()


def test_never_gives_a_port_that_is_taken() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        assert not processes.is_port_free(listener.getsockname()[1])
    assert processes.is_port_free(processes.free_port())


def test_removes_the_folders_of_dead_runs() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    old = servers.run_folder(dead.pid)
    new = servers.run_folder(os.getpid())
    assert not old.exists()
    assert new.exists()
    new.rmdir()


def test_keeps_user_and_server_in_the_dsn_of_another_database() -> None:
    assert (
        servers.database_dsn("postgresql://u:p@h:1/a?sslmode=require", "b") == "postgresql://u:p@h:1/b?sslmode=require"
    )
