"""Which port each part listens on: the one asked for, else the default, else the next free one."""

import fcntl
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_stack import failures, services
from testkit.servers import processes


def defaults(table: Sequence[services.Service]) -> dict[str, int]:
    """Every port of the stack by name: `sandbox`, `postgres`, `rabbitmq`, `maas`, `maas.monitor`, …"""
    found = {
        "postgres": services.POSTGRES_PORT,
        "rabbitmq": services.RABBITMQ_PORT,
        "sandbox": services.SANDBOX_PORT,
    }
    for service in table:
        found |= {service.name: service.api_port, f"{service.name}.monitor": service.monitor_port}
    return found


class Claims:
    """Ports that are this stack's until `close`, also while nothing listens there: a part may be down for a while."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"taxi-ports-{os.getuid()}"
        self._held: list[int] = []

    def take(self, port: int) -> bool:
        """Claims a port; False when another stack of this person has it, or somebody listens there."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
        self._held.append(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return processes.is_port_free(port)

    def close(self) -> None:
        """Gives all of them back."""
        for lock in self._held:
            # Not left to the closing: a process that was forked meanwhile would hold it on.
            fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)
        self._held.clear()


def choose(table: Sequence[services.Service], asked: Mapping[str, int], claims: Claims) -> dict[str, int]:
    """A claimed port per name; raises PortTaken for an asked one in use, StackFailed for a name that is none."""
    wanted = defaults(table)
    for name, port in asked.items():
        if name not in wanted:
            raise failures.StackFailed(f"there is no port named {name}; the names are {', '.join(wanted)}")
        if not claims.take(port):
            raise failures.PortTaken(f"port {port} was asked for {name}, but another process or stack has it")
    chosen = dict(asked)
    for name, port in wanted.items():
        if name not in chosen:
            chosen[name] = _next_free(port, {*chosen.values(), *(set(wanted.values()) - {port})}, claims)
    return chosen


def of_replica(service: services.Service, name: str, claims: Claims) -> dict[str, int]:
    """Two claimed ports for one more process of a service, called `name`."""
    taken = set(defaults(services.SERVICES).values())
    api = _next_free(service.api_port, taken, claims)
    return {name: api, f"{name}.monitor": _next_free(service.monitor_port, {*taken, api}, claims)}


def _next_free(first: int, taken: set[int], claims: Claims) -> int:
    for port in range(first, first + 1000):
        if port not in taken and claims.take(port):
            return port
    raise failures.StackFailed(f"no free port from {first} on")


def parse(words: Sequence[str]) -> dict[str, int]:
    """`["maas=9000", "maas.monitor=9001"]` as a mapping; raises StackFailed."""
    found: dict[str, int] = {}
    for word in words:
        name, _, number = word.partition("=")
        if not number.isdigit() or not 0 < int(number) < 65536:
            raise failures.StackFailed(f"a port is asked for as NAME=NUMBER, for example maas=9000, not {word!r}")
        found[name] = int(number)
    return found
