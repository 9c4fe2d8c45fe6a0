import os
from pathlib import Path

import pytest

from local_stack import engines, failures

_APT = """#!/bin/sh
echo "$@" >> {log}
[ -e {policy} ] && echo "policy: $({policy}; echo $?)" >> {log}
cat {clusters} >> {log}
exit {status}
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without systemd whose apt-get only writes down what it was asked."""
    monkeypatch.setattr(engines, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(engines, "_CLUSTERS", tmp_path / "postgresql-common/createcluster.conf")
    monkeypatch.setattr(engines, "_SYSTEMD", tmp_path / "no-systemd")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    _apt(tmp_path, 0)
    return tmp_path


def _apt(folder: Path, status: int) -> None:
    program = folder / "apt-get"
    program.write_text(
        _APT.format(
            log=folder / "log",
            policy=folder / "policy-rc.d",
            clusters=folder / "postgresql-common/createcluster.conf",
            status=status,
        )
    )
    program.chmod(0o755)


def test_installs_without_starting_a_service_or_making_a_cluster(machine: Path, said: list[str]) -> None:
    engines.install(["postgresql", "rabbitmq-server"], said.append)
    log = (machine / "log").read_text()
    assert "update" in log
    assert "install -q -y --no-install-recommends" in log
    assert "postgresql rabbitmq-server" in log
    assert "policy: 101" in log
    assert "create_main_cluster = false" in log
    assert said == ["installing postgresql rabbitmq-server from Debian's packages"]


def test_leaves_no_policy_behind(machine: Path, said: list[str]) -> None:
    engines.install(["postgresql"], said.append)
    assert not (machine / "policy-rc.d").exists()
    assert not (machine / "postgresql-common/createcluster.conf").exists()


def test_keeps_the_policy_of_the_machine(machine: Path, said: list[str]) -> None:
    (machine / "policy-rc.d").write_text("#!/bin/sh\nexit 104\n")
    (machine / "policy-rc.d").chmod(0o755)
    engines.install(["postgresql"], said.append)
    assert (machine / "policy-rc.d").read_text() == "#!/bin/sh\nexit 104\n"


def test_says_what_to_install_when_apt_fails(machine: Path, said: list[str]) -> None:
    _apt(machine, 100)
    with pytest.raises(failures.StackFailed, match="`apt-get update` failed, so postgresql must be installed by hand"):
        engines.install(["postgresql"], said.append)
    assert not (machine / "policy-rc.d").exists()


def test_says_what_to_install_when_we_may_not(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(failures.StackFailed, match=r"rabbitmq-server missing: .*apt-get install rabbitmq-server\)"):
        engines.install(["rabbitmq-server"], said.append)
    assert said == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as other users")
def test_puts_data_where_the_servers_users_can_reach_it(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    (hidden / ".run").mkdir(parents=True)
    hidden.chmod(0o700)
    elsewhere = engines.data_folder(hidden / ".run")
    assert str(elsewhere).startswith("/var/tmp/taxi-stack-")
    assert engines.data_folder(hidden / ".run") == elsewhere
    (hidden / ".run").rmdir()
    engines._forget_lost()
    assert not elsewhere.exists()
    assert engines.data_folder(Path("/var/tmp/.run")) == Path("/var/tmp/.run")
