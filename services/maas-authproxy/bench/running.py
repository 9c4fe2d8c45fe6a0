"""What the benchmarks of the edge run: the edge as a whole process, a maas that answers at once, a partner's calls."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
import yaml
from aiohttp import web as framework

from kit import tickets
from maas_authproxy import app
from maas_authproxy.keys import model
from testkit import databases, servers

SECRET = "a secret of the benchmark"
INFO = "/maas-authproxy/v1/subscription/info"
RATE = {"per_second": 10_000, "burst": 1_000_000}


def maas(pipe: Connection) -> None:
    """A process that answers everything with the same kilobyte; tells its port."""

    async def handle(request: framework.BaseRequest) -> framework.Response:
        return framework.json_response({"pass_id": "p", "note": "a" * 900})

    async def run() -> None:
        runner = framework.ServerRunner(framework.Server(handle, access_log=None))
        await runner.setup()
        await framework.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    uvloop.run(run())


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The DSN of a migrated database of the edge."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server_dsn = stack.enter_context(servers.postgres())
        made = databases.Databases(server_dsn, folder, f"bench_{os.getpid()}")
        stack.callback(made.drop_templates)
        yield stack.enter_context(databases.Clone(made, server_dsn, app.SERVICE.streams))


@contextlib.contextmanager
def edge(dsn: str, maas_port: int, core: int) -> Iterator[tuple[subprocess.Popen[bytes], int, str]]:
    """A running edge on one core: its process, its port, and the key of its partner."""
    made = model.new_key("bench", secret=SECRET)
    partner = {"partner": "bench", "scopes": ["subscriptions"], "keys": [dict(made.entry)], "limits": RATE}
    configs = {"MAAS_AUTHPROXY_PARTNERS": [partner], "CLIENT_QOS": {"default": {"timeout_ms": 2000, "attempts": 2}}}
    pem = tickets.new_key()
    ports = [_free_port(), _free_port()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "dynamic.yaml").write_text(yaml.safe_dump({"configs": configs}))
        (folder / "jwks.json").write_text(tickets.jwks(pem))
        (folder / "ticket").write_text(tickets.issue(pem, "maas-authproxy", 86_400))
        settings = {
            "API_PORT": ports[0],
            "MONITOR_PORT": ports[1],
            "DATABASE_DSN": dsn,
            "RABBITMQ_URL": "memory:",
            "TICKET_FILE": folder / "ticket",
            "JWKS_FILE": folder / "jwks.json",
            "DYNAMIC_CONFIG": folder / "dynamic.yaml",
            "KEY_SECRET": SECRET,
            "MAAS_URL": f"http://127.0.0.1:{maas_port}",
        }
        env = os.environ | {f"MAAS_AUTHPROXY_{name}": str(value) for name, value in settings.items()}
        command = ["taskset", "-c", str(core), sys.executable, "-m", "maas_authproxy", "serve"]
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
            try:
                await_port(ports[0])
                yield process, ports[0], made.text
            finally:
                process.terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def await_port(port: int) -> None:
    """Returns when somebody listens there."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit("the server did not come up")


def request(key: str, method: str = "GET", body: bytes = b"", filler: str = "") -> bytes:
    """A call of the partner."""
    lines = [f"{method} {INFO}{'?pass_id=p' if method == 'GET' else ''} HTTP/1.1", "Host: edge", f"X-API-Key: {key}"]
    if filler:
        lines.append(f"X-Filler: {filler}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def answered(reader: asyncio.StreamReader) -> None:
    """Reads one answer, which must be a 200."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    await reader.readexactly(int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]))
