import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from local_stack import failures, folder, services, settings

_OWNS = """
import signal, sys
from pathlib import Path
from local_stack import folder
with folder.Folder(Path(sys.argv[1])).owned(print):
    print("mine", flush=True)
    signal.pause()
"""


def _quiet(_: str) -> None:
    """Says nothing."""


def test_refuses_a_second_runner_and_names_the_first(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _OWNS, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with (
            pytest.raises(failures.AlreadyRunning, match=rf"a stack already runs in .* \(pid {other.pid}\)"),
            folder.Folder(tmp_path).owned(_quiet),
        ):
            pass
        other.send_signal(signal.SIGKILL)


def test_takes_over_from_a_killed_runner(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _OWNS, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        other.kill()
    with folder.Folder(tmp_path).owned(_quiet):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_waits_for_the_servers_of_a_killed_runner(tmp_path: Path) -> None:
    said: list[str] = []
    with folder.Folder(tmp_path).owned(_quiet) as lock:
        # A keeper: it holds the claim, and its runner is dead.
        keeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"], pass_fds=[lock])
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "lock").write_text(f"{dead.pid}\n")
    with folder.Folder(tmp_path).owned(said.append):
        assert keeper.poll() is None or keeper.wait() == 0
    keeper.wait()
    assert said == ["waiting for the servers of a former, killed stack to end"]


def test_writes_files_that_only_we_may_read(tmp_path: Path) -> None:
    path = folder.Folder(tmp_path).write_json("stack.json", {"a": 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert folder.Folder(tmp_path).read_json("stack.json", {}) == {"a": 1}


def test_keeps_the_old_file_when_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    run = folder.Folder(tmp_path)
    run.write_json("stack.json", {"a": 1})
    with pytest.raises(TypeError):
        run.write_json("stack.json", {"a": object()})
    assert run.read_json("stack.json", {}) == {"a": 1}


def test_gives_a_service_its_addresses_and_secrets(tmp_path: Path) -> None:
    maas, authproxy = (service for service in services.SERVICES if service.name.startswith("maas"))
    chosen = {"sandbox": 1, "maas": 2, "maas.monitor": 3, "maas-authproxy": 4, "maas-authproxy.monitor": 5}
    addresses = settings.Addresses(
        ports=chosen, databases={"maas": "postgresql://m", "maas-authproxy": "postgresql://a"}, rabbitmq="amqp://r"
    )
    secrets = {"maas.token-salt": "s1", "maas-authproxy.key-secret": "s2"}
    run = folder.Folder(tmp_path)
    env = settings.of_service(maas, run, addresses, secrets)
    assert env["MAAS_API_PORT"] == "2"
    assert env["MAAS_MONITOR_PORT"] == "3"
    assert env["MAAS_USER_API_URL"] == "http://127.0.0.1:1/user-api"
    assert env["MAAS_TOKEN_SALT"] == "s1"
    env = settings.of_service(authproxy, run, addresses, secrets)
    assert env["MAAS_AUTHPROXY_KEY_SECRET"] == "s2"
    assert env["MAAS_AUTHPROXY_MAAS_URL"] == "http://127.0.0.1:2"
    assert env["MAAS_AUTHPROXY_DATABASE_DSN"] == "postgresql://a"


def test_keeps_the_environment_for_operators_commands(tmp_path: Path) -> None:
    run = folder.Folder(tmp_path)
    env = {"MAAS_LOG_LEVEL": "a 'quoted' $word", "MAAS_API_PORT": "1"}
    settings.save(services.SERVICES[0], run, env)
    assert settings.saved(services.SERVICES[0], run) == env
    assert settings.saved(services.SERVICES[1], run) is None
