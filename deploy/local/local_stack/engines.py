"""PostgreSQL and RabbitMQ of the stack: Docker, else the machine's binaries, else Debian's packages, else say so."""

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack import failures, folder
from testkit import servers
from testkit.servers import containers, machine, processes

_POLICY = Path("/usr/sbin/policy-rc.d")
_CLUSTERS = Path("/etc/postgresql-common/createcluster.conf")
_ELSEWHERE = Path("/var/tmp")  # noqa: S108  (folders 0711 and ours, checked below)
_SYSTEMD = Path("/run/systemd/system")
_PACKAGES = {"postgresql": machine.postgres_binaries, "rabbitmq-server": machine.rabbitmq_binaries}


@dataclass(frozen=True)
class Engines:
    """The two servers, not yet started."""

    postgres: servers.PgServer
    rabbitmq: servers.RabbitServer


def find(
    run: folder.Folder,
    ports: Mapping[str, int],
    secrets: Mapping[str, str],
    *,
    hold: int,
    keep_data: bool,
    report: Callable[[str], None],
) -> Engines:
    """The stack's engines on their data, which is thrown away first unless it is kept. Raises StackFailed."""
    if containers.is_available():
        report("PostgreSQL and RabbitMQ run in Docker")
        return _in_docker(run, ports, secrets, keep_data)
    missing = [package for package, binaries in _PACKAGES.items() if binaries() is None]
    if missing:
        install(missing, report)
    data = data_folder(run.path)
    if data != run.path:
        report(f"the data is in {data}: the servers' users cannot reach {run.path}")
    if not keep_data:
        for name in ("postgres", "rabbitmq"):
            shutil.rmtree(data / name, ignore_errors=True)
    keeping = processes.Keeping(hold=hold)
    return Engines(
        machine.Postgres(
            data / "postgres",
            port=ports["postgres"],
            password=secrets["postgres"],
            settings=machine.DURABLE,
            log=run.log("postgres"),
            keeping=keeping,
        ),
        machine.RabbitMQ(
            data / "rabbitmq",
            port=ports["rabbitmq"],
            password=secrets["rabbitmq"],
            log=run.log("rabbitmq"),
            keeping=keeping,
        ),
    )


def _in_docker(run: folder.Folder, ports: Mapping[str, int], secrets: Mapping[str, str], keep_data: bool) -> Engines:
    volumes = {name: f"taxi-{_digest(run.path)}-{name}" for name in ("postgres", "rabbitmq")}
    if not keep_data:
        for volume in volumes.values():
            containers.remove_volume(volume)
    return Engines(
        containers.Postgres(password=secrets["postgres"], port=ports["postgres"], volume=volumes["postgres"]),
        containers.RabbitMQ(password=secrets["rabbitmq"], port=ports["rabbitmq"], volume=volumes["rabbitmq"]),
    )


def data_folder(run: Path) -> Path:
    """Where the servers' data goes: the run folder, or one in /var/tmp when their users cannot get at it (/root/…)."""
    if all(processes.Account(user).can_reach(run / "data") for user in ("postgres", "rabbitmq")):
        return run
    _forget_lost()
    elsewhere = _ELSEWHERE / f"taxi-stack-{_digest(run)}"
    elsewhere.mkdir(mode=0o711, exist_ok=True)
    if elsewhere.is_symlink() or elsewhere.stat().st_uid != os.geteuid():
        raise failures.StackFailed(f"{elsewhere} belongs to somebody else; give a reachable folder with --data")
    (elsewhere / "origin").write_text(str(run))
    return elsewhere


def _forget_lost() -> None:
    """Removes the data whose run folder is gone."""
    for origin in _ELSEWHERE.glob("taxi-stack-*/origin"):
        if origin.stat().st_uid == os.geteuid() and not Path(origin.read_text()).exists():
            shutil.rmtree(origin.parent, ignore_errors=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:10]


def install(packages: list[str], report: Callable[[str], None]) -> None:
    """Installs Debian packages when we may; none of them starts or enables a system service. Raises StackFailed."""
    words = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise failures.StackFailed(f"{words} missing: start Docker, or install them (Debian: apt-get install {words})")
    report(f"installing {words} from Debian's packages")
    with _no_services():
        for argv in (
            ["apt-get", "update", "-q"],
            [
                "apt-get",
                "install",
                "-q",
                "-y",
                "--no-install-recommends",
                "-o",
                "Dpkg::Options::=--force-confold",
                *packages,
            ],
        ):
            done = subprocess.run(
                argv,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                said = (done.stderr or done.stdout).strip()[-800:]
                raise failures.StackFailed(
                    f"`{' '.join(argv[:2])}` failed, so {words} must be installed by hand:\n{said}"
                )
    if _SYSTEMD.exists():
        units = ["rabbitmq-server" if package == "rabbitmq-server" else "postgresql" for package in packages]
        subprocess.run(["systemctl", "disable", *units], capture_output=True, check=False)


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """While inside, Debian's packages start nothing and make no database cluster; left as found."""
    with _file(_POLICY, "#!/bin/sh\nexit 101\n", 0o755), _file(_CLUSTERS, "create_main_cluster = false\n", 0o644):
        yield


@contextlib.contextmanager
def _file(path: Path, text: str, mode: int) -> Iterator[None]:
    if path.exists():
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
