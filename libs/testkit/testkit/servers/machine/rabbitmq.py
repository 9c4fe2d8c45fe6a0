"""A private RabbitMQ node."""

import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from testkit.servers import processes
from testkit.servers.machine import server, wire

_INSTALL = "RabbitMQ is not on this machine: install it (Debian: apt-get install rabbitmq-server)"


def rabbitmq_binaries() -> Path | None:
    """The folder of RabbitMQ's own scripts (Debian's wrappers in /usr/sbin insist on their user)."""
    found = processes.find_program(
        "/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server", "rabbitmq-server"
    )
    return found.parent if found else None


class RabbitMQ(server.Server):
    """A private RabbitMQ node with an epmd of its own; queues live in `folder` and survive stop, kill and start."""

    title = "RabbitMQ"
    taken = "eaddrinuse"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: str = "guest",
        log: Path | None = None,
        keeping: processes.Keeping = processes.OURS,
    ) -> None:
        binaries = rabbitmq_binaries()
        if binaries is None:
            raise processes.ServerMissing(_INSTALL)
        super().__init__(port=port, log=log or folder / "rabbitmq.log")
        self.name = "rabbitmq"
        self._binaries = binaries
        self._folder = folder
        self._account = processes.Account("rabbitmq")
        self._user = "guest" if password == "guest" else "app"
        self._password = password
        self._keeping = keeping
        self._env: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"amqp://{self._user}:{urllib.parse.quote(self._password)}@{wire.HOST}:{self.port}/"

    def start(self, timeout_s: float = 60.0) -> None:
        """Starts it on its data and returns when it greets AMQP clients (about 4 s); raises ServerFailed."""
        self._account.own(self._folder)
        self._start(self._greets, lambda: processes.log_tail(self._log, 12), timeout_s)

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
            ["epmd", "-port", str(epmd), "-address", wire.HOST],
            [str(self._binaries / "rabbitmq-server")],
            log=self._log,
            env=self._env,
            account=self._account,
            keeping=self._keeping,
            grace_s=15.0,
        )

    def _files(self) -> Mapping[str, str]:
        settings = {
            "listeners.tcp.1": f"{wire.HOST}:{self.port}",
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
        return wire.environment() | {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": wire.HOST,
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
        return wire.ask(self.port, b"AMQP\x00\x00\x09\x01")[:1] == b"\x01"
