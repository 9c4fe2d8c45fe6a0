"""The one table of what the stack runs: adding a service is adding a line to SERVICES."""

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Service:
    """One of our services: its default ports and whom it calls.

    `sandbox` names the neighbours it finds there (`<PREFIX>_<NEIGHBOUR>_URL`), `services` ours that it calls, `secrets`
    the random settings it needs (kept as long as the data), `partners` the config that lists partners and their keys.
    """

    name: str
    api_port: int
    monitor_port: int
    sandbox: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    partners: str = ""

    @property
    def package(self) -> str:
        """Also the name of its database."""
        return self.name.replace("-", "_")

    @property
    def prefix(self) -> str:
        return f"{self.package.upper()}_"


SERVICES = (
    Service(
        name="music",
        api_port=8101,
        monitor_port=8201,
        sandbox=("music-backend", "communications"),
        services=("plus",),
    ),
    Service(
        name="maas",
        api_port=8103,
        monitor_port=8203,
        sandbox=("personal", "user-api", "zalogin", "coupons", "masstransit", "vtb"),
        secrets=("token-salt",),
    ),
    Service(
        name="maas-authproxy",
        api_port=8104,
        monitor_port=8204,
        services=("maas",),
        secrets=("key-secret",),
        partners="MAAS_AUTHPROXY_PARTNERS",
    ),
    Service(name="plus", api_port=8105, monitor_port=8205),
)

SANDBOX_PORT = 8100
POSTGRES_PORT = 8432
RABBITMQ_PORT = 8672

# Who calls our services from outside; each gets a ticket in stack.json, as each of our services does.
CALLERS = (
    "passenger-authorizer",
    "driver-authproxy",
    "processing",
    "coupons",
    "products",
    "protocol",
    "api-proxy",
    "totw",
    "support",
    "plus",
    "music",
)
PARTNERS = ("vtb",)


def present(services: Iterable[Service] = SERVICES) -> list[Service]:
    """Those of the table whose package can be run."""
    return [service for service in services if _can_run(service.package)]


def _can_run(package: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in (package, f"{package}.__main__"))


def with_called(table: Sequence[Service]) -> list[Service]:
    """These and every service that one of them calls: where those are has to be known even while nobody is there."""
    called = {name for service in table for name in service.services}
    return [*table, *(service for service in SERVICES if service.name in called and service not in table)]
