"""What a contest is played on: a private PostgreSQL with fsync on, music's real processes, contenders."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import uvloop
import yaml

from bench import environment, gateway, load, pinned
from kit import tickets
from local_stack import databases, services
from testkit import servers
from testkit.servers import machine, processes

_CONFIG = environment.ROOT / "deploy/local/config/music.yaml"
_SCRIPTS = Path(__file__).parent / "contenders"
# A neighbour that agrees to everything at once.
_AGREES = b'{"has_plus": true, "has_plus_multi": false, "subscriptions": [], "push_id": "push-1"}'
_OPENED_AT_ONCE = 16


class Stage:
    """`with Stage(cores) as stage:`; everything it starts ends with it."""

    def __init__(self, cores: pinned.Cores) -> None:
        self.cores = cores
        self.folder = servers.run_folder(os.getpid())
        self._stack = contextlib.ExitStack()
        self._key = tickets.new_key()
        self._processes = 0
        self.gateway = gateway.Gateway(self._key)

    def __enter__(self) -> "Stage":
        with contextlib.ExitStack() as begun:
            keeping = processes.Keeping(remove=[self.folder])
            # fsync stays on; checkpoints come rarely, as on a server that is meant for writing.
            self._postgres = machine.Postgres(
                self.folder / "postgres", settings=("max_wal_size=4GB", "shared_buffers=256MB"), keeping=keeping
            )
            self._postgres.start()
            begun.callback(self._postgres.stop)
            databases.create(self._postgres.dsn, ["music", "contenders"])
            (self.folder / "jwks.json").write_text(tickets.jwks(self._key))
            (self.folder / "ticket").write_text(tickets.issue(self._key, "music", 86_400.0))
            self._write_config()
            self._stack = begun.pop_all()
        self._neighbour = self.contender("a neighbour", "trivial", "--body", self._file("agrees", _AGREES), aside=True)
        self._migrate()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def dsn(self, database: str) -> str:
        """Of `music` or `contenders`."""
        return self._postgres.database_dsn(database)

    def music(self, word: str = "serve", *, aside: bool = False) -> pinned.Server:
        """A process of music on the server's core, or `aside` on the other."""
        env = self._music_env()
        command = [sys.executable, "-m", "music", word]
        return self._start(f"music {word}", command, int(env["MUSIC_API_PORT"]), env, aside)

    def contender(self, name: str, script: str, *words: str, aside: bool = False) -> pinned.Server:
        """A script of `contenders/`; FastAPI's run in their own environment."""
        python = str(environment.python()) if script.startswith("fastapi") else sys.executable
        port = processes.free_port()
        command = [python, str(_SCRIPTS / f"{script}.py"), "--port", str(port), *words]
        return self._start(name, command, port, {}, aside)

    def trivial(self, answer: bytes) -> pinned.Server:
        """The responder that does nothing but answer, by which the load is measured."""
        return self.contender("trivial responder", "trivial", "--body", self._file("trivial", answer))

    def bare(self, name: str, body: bytes, etag: str) -> pinned.Server:
        """aiohttp without a database."""
        return self.contender(name, "aiohttp_bare", "--body", self._file("bare", body), "--etag", etag)

    def open_players(self, music: pinned.Server, count: int) -> list[gateway.Ride]:
        """Rides whose player is open and plays, through music's own API."""
        rides = [gateway.Ride(number) for number in range(1, count + 1)]
        for requests in (map(self.gateway.assignment, rides), map(self.gateway.report, rides)):
            uvloop.run(load.run(load.Asking(music.port, requests, 200), _OPENED_AT_ONCE))
        return rides

    def _start(self, name: str, command: list[str], port: int, env: dict[str, str], aside: bool) -> pinned.Server:
        self._processes += 1
        log = self.folder / f"logs/{self._processes}-{name.replace(' ', '-')}.log"
        core = self.cores.load if aside else self.cores.server
        return self._stack.enter_context(pinned.started(name, command, core=core, port=port, env=env, log=log))

    def _file(self, name: str, content: bytes) -> str:
        path = self.folder / f"{name}.json"
        path.write_bytes(content)
        return str(path)

    def _write_config(self) -> None:
        document = yaml.safe_load(_CONFIG.read_text("utf-8"))
        document["configs"]["MUSIC_COMMANDS"] |= {"limit": 1_000_000, "limit_window_s": 1}
        (self.folder / "music.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))

    def _music_env(self) -> dict[str, str]:
        table = next(service for service in services.SERVICES if service.name == "music")
        settings: dict[str, object] = {
            "API_PORT": processes.free_port(),
            "MONITOR_PORT": processes.free_port(),
            "DATABASE_DSN": self.dsn("music"),
            "RABBITMQ_URL": "memory:",
            "TICKET_FILE": self.folder / "ticket",
            "JWKS_FILE": self.folder / "jwks.json",
            "DYNAMIC_CONFIG": self.folder / "music.yaml",
        }
        neighbours = (*table.sandbox, *table.services)
        settings |= {
            f"{name.upper().replace('-', '_')}_URL": f"http://127.0.0.1:{self._neighbour.port}" for name in neighbours
        }
        return {f"MUSIC_{name}": str(value) for name, value in settings.items()}

    def _migrate(self) -> None:
        env = self._music_env() | {"PATH": os.defpath, "LANG": "C.UTF-8"}
        subprocess.run([sys.executable, "-m", "music", "migrate"], env=env, check=True, capture_output=True)
