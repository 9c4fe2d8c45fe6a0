"""The environment of each process of the stack: everything it is told, it is told there."""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack import folder, services

DEFAULT_CONFIGS = Path(__file__).resolve().parent.parent / "config"
HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where everything of the stack is."""

    ports: Mapping[str, int]
    databases: Mapping[str, str]
    rabbitmq: str

    def api(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    def monitor(self, name: str) -> str:
        return self.api(f"{name}.monitor")


def plain() -> dict[str, str]:
    """What any process gets: a search path, a language, unbuffered output; nothing else of the person's environment."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def of_service(
    service: services.Service, run: folder.Folder, addresses: Addresses, secrets: Mapping[str, str]
) -> dict[str, str]:
    """The `<PREFIX>_…` variables of a service."""
    found = {
        "HOST": HOST,
        "DATABASE_DSN": addresses.databases[service.name],
        "RABBITMQ_URL": addresses.rabbitmq,
        "TICKET_FILE": run / f"tickets/{service.name}.token",
        "JWKS_FILE": run / "jwks.json",
        "DYNAMIC_CONFIG": run / f"config/{service.name}.yaml",
        "LOG_LEVEL": "INFO",
    }
    found |= {f"{_upper(name)}_URL": f"{addresses.api('sandbox')}/{name}" for name in service.sandbox}
    found |= {f"{_upper(name)}_URL": addresses.api(name) for name in service.services}
    found |= {_upper(name): secrets[f"{service.name}.{name}"] for name in service.secrets}
    named = {f"{service.prefix}{name}": str(value) for name, value in found.items()}
    return named | ports_of(service, service.name, addresses)


def ports_of(service: services.Service, name: str, addresses: Addresses) -> dict[str, str]:
    """Where the process called `name` of a service listens."""
    found = {"API_PORT": addresses.ports[name], "MONITOR_PORT": addresses.ports[f"{name}.monitor"]}
    return {f"{service.prefix}{variable}": str(port) for variable, port in found.items()}


def sandbox_command(table: Iterable[services.Service], run: folder.Folder, addresses: Addresses) -> list[str]:
    """Starts the sandbox, told where the services of `table` are."""
    ours = ",".join(f"{service.name}={addresses.api(service.name)}" for service in table)
    return [
        *(sys.executable, "-m", "sandbox", "--port", str(addresses.ports["sandbox"]), "--services", ours),
        *("--state", str(run / "sandbox.json"), "--jwks", str(run / "jwks.json")),
        *("--tickets", str(run / "tickets/all.json"), "--api-keys", str(run / "api_keys.json")),
    ]


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")


def copy_config(service: services.Service, run: folder.Folder, addresses: Addresses) -> None:
    """Puts the service's dynamic config where it may be edited while it runs; an empty one when it has no default.

    Pages of the sandbox that people open are named there by its default port; they get the one it has.
    """
    target = run / f"config/{service.name}.yaml"
    target.parent.mkdir(parents=True, exist_ok=True)
    default = DEFAULT_CONFIGS / f"{service.name}.yaml"
    if default.exists():
        pages = f"http://{HOST}:{services.SANDBOX_PORT}/"
        target.write_text(default.read_text("utf-8").replace(pages, f"{addresses.api('sandbox')}/"), "utf-8")
    else:
        target.write_text("configs: {}\n")


def save(service: services.Service, run: folder.Folder, env: Mapping[str, str]) -> None:
    """Keeps the environment for operators' commands, in the form `. .run/env/<service>.env` understands."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in env.items()]
    run.write(f"env/{service.name}.env", "".join(lines))


def saved(service: services.Service, run: folder.Folder) -> dict[str, str] | None:
    """The environment kept by `save`; None when there is none."""
    try:
        text = (run / f"env/{service.name}.env").read_text("utf-8")
    except FileNotFoundError:
        return None
    pairs = (word.partition("=") for word in shlex.split(text) if word != "export")
    return {name: value for name, _, value in pairs}
