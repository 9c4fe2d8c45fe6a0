"""The whole suite as one object: started, killed in parts, stopped."""

import concurrent.futures
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from local_stack import (
    credentials,
    databases,
    engines,
    failures,
    folder,
    partners,
    ports,
    reports,
    services,
    settings,
    supervision,
)
from testkit.servers import processes

STOP_WITHIN_S = 25.0
READY_WITHIN_S = 30.0


class Stack:
    """PostgreSQL, RabbitMQ, the sandbox and our services, each its own process, all ending with this one.

    `with Stack(folder) as stack:` or `start()` and `stop()`; the calls block. `kill(name)` is kill -9 and heals by
    itself, `stop_part`, `start_part` and `restart` do what they say; names are `postgres`, `rabbitmq`, `sandbox`, the
    services' and those of their replicas.
    """

    def __init__(
        self,
        path: Path,
        *,
        report: Callable[[str, str], None] = reports.quiet,
        asked_ports: Mapping[str, int] | None = None,
        keep_data: bool = False,
        table: Sequence[services.Service] | None = None,
    ) -> None:
        self.folder = folder.Folder(path)
        self.table = services.present() if table is None else list(table)
        self.parts: dict[str, supervision.Part] = {}
        self.commands: dict[str, list[str]] = {}
        self.environment: dict[str, dict[str, str]] = {}
        self.description: dict[str, Any] = {}
        self._report = report
        self._asked_ports = dict(asked_ports or {})
        self._keep_data = keep_data
        self._hold = -1
        self._claim = contextlib.ExitStack()
        self._claims = ports.Claims()

    def __enter__(self) -> "Stack":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts everything and writes stack.json; raises StackFailed, and then nothing is left running."""
        self._hold = self._claim.enter_context(self.folder.owned(lambda text: self._report("stack", text)))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends everything in the reverse order; what does not end within 25 s is killed."""
        for names in reversed(self._stages()):
            running = [self.parts.pop(name) for name in names if name in self.parts]
            supervision.together([part.end for part in running])
        with contextlib.suppress(FileNotFoundError):
            if self._hold >= 0:
                self.folder.stack_file.unlink()
        self._hold = -1
        self._claim.close()

    def kill(self, name: str, *, stay_down: bool = False) -> None:
        """kill -9 of one part; it comes back by itself unless it is to stay down until `start_part`."""
        self._part(name).kill(stay_down=stay_down)

    def stop_part(self, name: str) -> None:
        """Ends one part politely; it stays down until `start_part`."""
        self._part(name).stop()

    def start_part(self, name: str) -> None:
        """Starts one part again and waits until it is ready."""
        self._part(name).start(READY_WITHIN_S)

    def restart(self, name: str, *, env: Mapping[str, str] | None = None, command: Sequence[str] | None = None) -> None:
        """Stops and starts one part; `env` adds to its environment and `command` replaces its command from then on."""
        self._part(name)
        self.environment.setdefault(name, {}).update(env or {})
        if command is not None:
            self.commands[name] = list(command)
        self.stop_part(name)
        self.start_part(name)

    @contextlib.contextmanager
    def replica(self, name: str) -> Iterator[str]:
        """One more process of a service, on its database and config; yields its name, also in `description`."""
        self._part(name)
        service = next(service for service in self.table if service.name == name)
        named = next(f"{name}-{n}" for n in range(2, 100) if f"{name}-{n}" not in self.parts)
        found = settings.Addresses(ports=ports.of_replica(service, named, self._claims), databases={}, rabbitmq="")
        self.environment[named] = self.environment[name] | settings.ports_of(service, named, found)
        self.commands[named] = list(self.commands[name])
        try:
            self._add_service(named, found).start(READY_WITHIN_S)
            self.description["services"][named] = _where(named, found)
            yield named
        finally:
            self.description["services"].pop(named, None)
            if part := self.parts.pop(named, None):
                part.end()

    def pid(self, name: str) -> int:
        """The process id of a part, for tests that pause it."""
        process = getattr(self._part(name).server, "process", None)
        if process is None or process.pid is None:
            raise failures.StackFailed(f"{name} has no process on this machine")
        return int(process.pid)

    def log(self, name: str) -> Path:
        return self.folder.log(name)

    def _part(self, name: str) -> supervision.Part:
        if name in self.parts:
            return self.parts[name]
        raise failures.StackFailed(f"no part named {name} runs; the parts are {', '.join(self.parts) or 'none'}")

    def _stages(self) -> list[list[str]]:
        around = ["postgres", "rabbitmq", "sandbox"]
        return [around[:2], around[2:], [name for name in self.parts if name not in around]]

    def _start(self) -> None:
        self.folder.forget_run()
        if not self._keep_data:
            (self.folder / "sandbox.json").unlink(missing_ok=True)
        self._claims = self._claim.enter_context(contextlib.closing(ports.Claims()))
        chosen = ports.choose(services.with_called(self.table), self._asked_ports, self._claims)
        secrets = credentials.passwords(self.folder, self.table, keep_data=self._keep_data)
        issued = credentials.issue_tickets(self.folder, [*services.CALLERS, *(service.name for service in self.table)])
        found = engines.find(
            self.folder,
            chosen,
            secrets,
            hold=self._hold,
            keep_data=self._keep_data,
            report=lambda text: self._report("engines", text),
        )
        self._add("postgres", found.postgres)
        self._add("rabbitmq", found.rabbitmq)
        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            broker = beside.submit(self.parts["rabbitmq"].start, 60.0)
            self.parts["postgres"].start(60.0)
            databases.create(found.postgres.dsn, [service.package for service in self.table])
            addresses = settings.Addresses(
                ports=chosen,
                databases={s.name: found.postgres.database_dsn(s.package) for s in self.table},
                rabbitmq=found.rabbitmq.url,
            )
            keys = self._prepare(addresses, secrets)
            self.folder.write_json("api_keys.json", keys)
            self._start_sandbox(addresses)
            broker.result()
        self._start_services(addresses)
        self._describe(addresses, issued, keys)

    def _prepare(self, addresses: settings.Addresses, secrets: Mapping[str, str]) -> dict[str, str]:
        """Settings, schema and partners' keys of each service."""
        keys: dict[str, str] = {}
        for service in self.table:
            env = settings.of_service(service, self.folder, addresses, secrets)
            settings.copy_config(service, self.folder, addresses)
            settings.save(service, self.folder, env)
            self.environment[service.name] = settings.plain() | env
            self.commands[service.name] = [sys.executable, "-m", service.package, "all"]
            if service.partners:
                keys |= partners.make_keys(service, services.PARTNERS, self.folder, self.environment[service.name])
        supervision.together([lambda service=service: self._migrate(service) for service in self.table])  # type: ignore[misc]
        return keys

    def _migrate(self, service: services.Service) -> None:
        began = time.monotonic()
        argv = [sys.executable, "-m", service.package, "migrate"]
        name = f"{service.name}-migrate"
        supervision.run_once(name, argv, self.environment[service.name], self.folder.log(name), 60.0)
        self._report(service.name, f"database migrated in {time.monotonic() - began:.1f} s")

    def _start_sandbox(self, addresses: settings.Addresses) -> None:
        self.environment["sandbox"] = settings.plain()
        self.commands["sandbox"] = settings.sandbox_command(self.table, self.folder, addresses)
        self._add("sandbox", self._command("sandbox", 5.0), f"{addresses.api('sandbox')}/ping").start(READY_WITHIN_S)

    def _start_services(self, addresses: settings.Addresses) -> None:
        parts = [self._add_service(service.name, addresses) for service in self.table]
        supervision.together([lambda part=part: part.start(READY_WITHIN_S) for part in parts])  # type: ignore[misc]

    def _add_service(self, name: str, addresses: settings.Addresses) -> supervision.Part:
        return self._add(name, self._command(name, STOP_WITHIN_S), f"{addresses.monitor(name)}/ready")

    def _command(self, name: str, grace_s: float) -> supervision.Command:
        keeping = processes.Keeping(hold=self._hold)
        return supervision.Command(
            lambda: processes.Process(
                name,
                self.commands[name],
                log=self.folder.log(name),
                env=self.environment[name],
                keeping=keeping,
                grace_s=grace_s,
            )
        )

    def _add(self, name: str, server: supervision.Runnable, ready_url: str | None = None) -> supervision.Part:
        log = self.folder.log(name)
        part = supervision.Part(
            name, server, self._report, ready_url=ready_url, why=lambda: processes.log_tail(log, 15)
        )
        self.parts[name] = part
        return part

    def _describe(self, addresses: settings.Addresses, issued: Mapping[str, str], keys: Mapping[str, str]) -> None:
        self.description = {
            "services": {service.name: _where(service.name, addresses) for service in self.table},
            "sandbox": {"api": addresses.api("sandbox")},
            "rabbitmq": addresses.rabbitmq,
            "databases": dict(addresses.databases),
            "tickets": dict(issued),
            "api_keys": dict(keys),
        }
        self.folder.write_json("stack.json", self.description)


def _where(name: str, addresses: settings.Addresses) -> dict[str, str]:
    return {"api": addresses.api(name), "monitor": addresses.monitor(name)}
