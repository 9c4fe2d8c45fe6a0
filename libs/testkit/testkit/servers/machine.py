"""Private PostgreSQL and RabbitMQ from the machine's binaries: own folder, own ports, an unprivileged user when root.

The machine's own running servers are never touched: other ports, other data, another epmd.
"""

import os
import shutil
import signal
import socket
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

from testkit.servers import processes

_HOST = "127.0.0.1"
_PG_INSTALL = "PostgreSQL is not on this machine: install it (Debian: apt-get install postgresql)"
_RABBIT_INSTALL = "RabbitMQ is not on this machine: install it (Debian: apt-get install rabbitmq-server)"

# Right for tests: a killed server loses nothing, only a killed machine would.
FAST = ("fsync=off", "full_page_writes=off")
DURABLE: tuple[str, ...] = ()


def postgres_binaries() -> Path | None:
    """The folder of the newest PostgreSQL on the machine."""
    found = processes.find_program(
        "/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres", "/opt/homebrew/opt/postgresql@*/bin/postgres", "postgres"
    )
    return found.parent if found else None


def rabbitmq_binaries() -> Path | None:
    """The folder of RabbitMQ's own scripts (Debian's wrappers in /usr/sbin insist on their user)."""
    found = processes.find_program(
        "/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server", "rabbitmq-server"
    )
    return found.parent if found else None


class Postgres:
    """A private PostgreSQL; data lives in `folder`, so that it survives stop, kill and start."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        settings: Sequence[str] = FAST,
        log: Path | None = None,
        owner: int | None = None,
        remove: Sequence[Path] = (),
    ) -> None:
        binaries = postgres_binaries()
        if binaries is None:
            raise processes.ServerMissing(_PG_INSTALL)
        self.name = "postgres"
        self._binaries = binaries
        self._data = folder / "data"
        self._folder = folder
        self._log = log or folder / "postgres.log"
        self._settings = settings
        self._password = password
        self._account = processes.Account("postgres")
        self._asked_port = port
        self._owner = owner
        self._remove = remove
        self.port = port or 0
        self.process: processes.Process | None = None

    @property
    def dsn(self) -> str:
        """The superuser `app` on the database `postgres`."""
        return self.database_dsn("postgres")

    def database_dsn(self, database: str) -> str:
        secret = f":{urllib.parse.quote(self._password)}" if self._password else ""
        return f"postgresql://app{secret}@{_HOST}:{self.port}/{database}"

    def start(self, timeout_s: float = 30.0) -> None:
        """Starts it on its data (made when missing) and returns when it answers; raises ServerFailed."""
        self._initialise()
        for is_last in (False, False, True):
            self.port = self.port or processes.free_port()
            self.process = self._process()
            self.process.start()
            if processes.wait_for(lambda: self._answers() or not self._is_running(), timeout_s) and self._is_running():
                return
            said = processes.log_tail(self._log, 6)
            self.process.kill()
            if self._asked_port or is_last or "could not bind" not in said:
                raise processes.ServerFailed(f"PostgreSQL did not start: {said or 'no answer in time'}")
            self.port = 0

    def stop(self) -> None:
        """Ends it politely (fast shutdown)."""
        if self.process is not None:
            self.process.stop()

    def kill(self) -> None:
        """kill -9 of the whole server, as a crash."""
        if self.process is not None:
            self.process.kill()

    def is_alive(self) -> bool:
        return self._is_running()

    def _is_running(self) -> bool:
        return self.process is not None and self.process.is_alive()

    def _process(self) -> processes.Process:
        settings = [
            f"listen_addresses={_HOST}",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=64MB",
            "dynamic_shared_memory_type=posix",
            *self._settings,
        ]
        argv = [str(self._binaries / "postgres"), "-D", str(self._data)]
        for setting in settings:
            argv += ["-c", setting]
        return processes.Process(
            "PostgreSQL",
            argv,
            log=self._log,
            env=_environment(),
            account=self._account,
            owner=self._owner,
            remove=self._remove,
            stop_signal=signal.SIGINT,
        )

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        self._account.own(self._folder)
        fresh = self._folder / "data.new"  # renamed when whole, so that an interrupted initdb leaves nothing to trip over
        shutil.rmtree(fresh, ignore_errors=True)
        argv = [str(self._binaries / "initdb"), "-D", str(fresh), "-U", "app", "-E", "UTF8", "--locale=C.UTF-8"]
        if "fsync=off" in self._settings:
            argv.append("--no-sync")
        if self._password:
            secret = self._folder / "password"
            self._account.write(secret, self._password)
            argv += ["-A", "scram-sha-256", f"--pwfile={secret}"]
        else:
            argv += ["-A", "trust"]
        done = self._account.run(argv, _environment())
        if done.returncode:
            raise processes.ServerFailed(f"PostgreSQL's initdb failed: {done.stderr.strip()[-500:]}")
        fresh.rename(self._data)

    def _answers(self) -> bool:
        """True when it takes connections: the first lines of a start-up refuse them with an error 57P03."""
        packet = b"\x00\x03\x00\x00user\x00app\x00database\x00postgres\x00\x00"
        answer = _ask(self.port, (len(packet) + 4).to_bytes(4, "big") + packet)
        return answer[:1] == b"R"


class RabbitMQ:
    """A private RabbitMQ node with an epmd of its own; queues live in `folder` and survive stop, kill and start."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: str = "guest",
        log: Path | None = None,
        owner: int | None = None,
        remove: Sequence[Path] = (),
    ) -> None:
        binaries = rabbitmq_binaries()
        if binaries is None:
            raise processes.ServerMissing(_RABBIT_INSTALL)
        self.name = "rabbitmq"
        self._binaries = binaries
        self._folder = folder
        self._log = log or folder / "rabbitmq.log"
        self._account = processes.Account("rabbitmq")
        self._user = "guest" if password == "guest" else "app"
        self._password = password
        self._asked_port = port
        self._owner = owner
        self._remove = remove
        self.port = port or 0
        self._env: dict[str, str] = {}
        self.process: processes.Process | None = None

    @property
    def url(self) -> str:
        return f"amqp://{self._user}:{urllib.parse.quote(self._password)}@{_HOST}:{self.port}/"

    def start(self, timeout_s: float = 60.0) -> None:
        """Starts it on its data and returns when it greets AMQP clients (about 4 s); raises ServerFailed."""
        self._account.own(self._folder)
        for is_last in (False, False, True):
            self.port = self.port or processes.free_port()
            self.process = self._process()
            self.process.start()
            if processes.wait_for(lambda: self._greets() or not self.is_alive(), timeout_s, 0.05) and self.is_alive():
                return
            said = processes.log_tail(self._log, 12)
            self.process.kill()
            if self._asked_port or is_last or "eaddrinuse" not in said:
                raise processes.ServerFailed(f"RabbitMQ did not start: {said or 'no answer in time'}")
            self.port = 0

    def stop(self) -> None:
        """Ends it politely."""
        if self.process is not None:
            self.process.stop()

    def kill(self) -> None:
        """kill -9, as a crash."""
        if self.process is not None:
            self.process.kill()

    def is_alive(self) -> bool:
        return self.process is not None and self.process.is_alive()

    def control(self, *words: str) -> str:
        """What `rabbitmqctl` prints, e.g. `control("list_queues", "name", "messages")`; raises ServerFailed."""
        argv = [str(self._binaries / "rabbitmqctl"), "--quiet", "--node", self._env["RABBITMQ_NODENAME"], *words]
        done = self._account.run(argv, self._env)
        if done.returncode:
            raise processes.ServerFailed(f"rabbitmqctl {words[0]} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _process(self) -> processes.Process:
        distribution = processes.free_port({self.port})
        epmd = processes.free_port({self.port, distribution})
        self._env = self._environment(distribution, epmd)
        for name in ("rabbitmq.conf", "advanced.config", "enabled_plugins", "env.conf"):
            self._account.write(self._folder / name, self._files()[name])
        return processes.Process(
            "RabbitMQ",
            ["epmd", "-port", str(epmd), "-address", _HOST],
            [str(self._binaries / "rabbitmq-server")],
            log=self._log,
            env=self._env,
            account=self._account,
            owner=self._owner,
            remove=self._remove,
            grace_s=15.0,
        )

    def _files(self) -> Mapping[str, str]:
        settings = {
            "listeners.tcp.1": f"{_HOST}:{self.port}",
            "default_user": self._user,
            "default_pass": self._password,
            "log.console": "true",
            "log.console.level": "warning",
            "log.file": "false",
            "disk_free_limit.absolute": "50MB",
        }
        text = "".join(f"{key} = {value}\n" for key, value in settings.items())
        return {"rabbitmq.conf": text, "advanced.config": "[].\n", "enabled_plugins": "[].\n", "env.conf": ""}

    def _environment(self, distribution: int, epmd: int) -> dict[str, str]:
        folder = self._folder
        return _environment() | {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": _HOST,
            "RABBITMQ_NODENAME": "taxi@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            # Schedulers bound to cores would fight with those of the machine's other nodes.
            "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
            "RABBITMQ_LOG": "-color",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
            # Makes the script become the server, without a shell between us and it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _greets(self) -> bool:
        return _ask(self.port, b"AMQP\x00\x00\x09\x01")[:1] == b"\x01"


def _environment() -> dict[str, str]:
    """What a server may see of ours: no settings of other instances."""
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": f"{system}:{os.environ.get('PATH', '')}", "LANG": "C.UTF-8"}


def _ask(port: int, packet: bytes) -> bytes:
    """The first bytes a local server answers; b"" when it does not."""
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            connection.sendall(packet)
            return connection.recv(8)
    except OSError:
        return b""
