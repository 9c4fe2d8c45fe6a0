"""A private PostgreSQL."""

import shutil
import signal
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from testkit.servers import processes
from testkit.servers.machine import server, wire

_INSTALL = "PostgreSQL is not on this machine: install it (Debian: apt-get install postgresql)"

# Right for tests: a killed server loses nothing, only a killed machine would.
FAST = ("fsync=off", "full_page_writes=off")
DURABLE: tuple[str, ...] = ()
# A refused row or statement holds people's data and secrets; the log says which error it was, and no more.
DISCREET = ("log_error_verbosity=terse", "log_min_error_statement=panic")


def postgres_binaries() -> Path | None:
    """The folder of the newest PostgreSQL on the machine."""
    found = processes.find_program(
        "/usr/lib/postgresql/*/bin/postgres",
        "/usr/pgsql-*/bin/postgres",
        "/opt/homebrew/opt/postgresql@*/bin/postgres",
        "postgres",
    )
    return found.parent if found else None


class Postgres(server.Server):
    """A private PostgreSQL; data lives in `folder`, so that it survives stop, kill and start."""

    title = "PostgreSQL"
    taken = "could not bind"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        settings: Sequence[str] = FAST,
        log: Path | None = None,
        keeping: processes.Keeping = processes.OURS,
    ) -> None:
        binaries = postgres_binaries()
        if binaries is None:
            raise processes.ServerMissing(_INSTALL)
        super().__init__(port=port, log=log or folder / "postgres.log")
        self.name = "postgres"
        self._binaries = binaries
        self._data = folder / "data"
        self._folder = folder
        self._settings = settings
        self._password = password
        self._account = processes.Account("postgres")
        self._keeping = keeping

    @property
    def dsn(self) -> str:
        """The superuser `app` on the database `postgres`."""
        return self.database_dsn("postgres")

    def database_dsn(self, database: str) -> str:
        secret = f":{urllib.parse.quote(self._password)}" if self._password else ""
        return f"postgresql://app{secret}@{wire.HOST}:{self.port}/{database}"

    def start(self, timeout_s: float = 30.0) -> None:
        """Starts it on its data (made when missing) and returns when it answers; raises ServerFailed."""
        self._initialise()
        self._start(self._answers, lambda: _reason(self._log), timeout_s)

    def _process(self) -> processes.Process:
        settings = [
            f"listen_addresses={wire.HOST}",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=64MB",
            "dynamic_shared_memory_type=posix",
            *DISCREET,
            *self._settings,
        ]
        argv = [str(self._binaries / "postgres"), "-D", str(self._data)]
        for setting in settings:
            argv += ["-c", setting]
        return processes.Process(
            "PostgreSQL",
            argv,
            log=self._log,
            env=wire.environment(),
            account=self._account,
            keeping=self._keeping,
            stop_signal=signal.SIGINT,
        )

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        self._account.own(self._folder)
        fresh = (
            self._folder / "data.new"
        )  # renamed when whole, so that an interrupted initdb leaves nothing to trip over
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
        done = self._account.run(argv, wire.environment())
        if done.returncode:
            raise processes.ServerFailed(f"PostgreSQL's initdb failed: {done.stderr.strip()[-500:]}")
        fresh.rename(self._data)

    def _answers(self) -> bool:
        """True when it takes connections: the first lines of a start-up refuse them with an error 57P03."""
        packet = b"\x00\x03\x00\x00user\x00app\x00database\x00postgres\x00\x00"
        answer = wire.ask(self.port, (len(packet) + 4).to_bytes(4, "big") + packet)
        return answer[:1] == b"R"


def _reason(log: Path) -> str:
    """Why PostgreSQL refused, by its log: its last FATAL line, else its last line."""
    lines = processes.log_tail(log, 12).splitlines()
    telling = [line for line in lines if "FATAL:" in line or "could not" in line] or lines[-1:]
    return telling[-1] if telling else ""
