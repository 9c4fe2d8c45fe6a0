"""The one table of what the stack runs: adding a service is adding a line to SERVICES."""

import importlib.util
from collections.abc import Iterable
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
    "plus",
    "music",
)
PARTNERS = ("vtb",)


def present(services: Iterable[Service] = SERVICES) -> list[Service]:
    """Those of the table whose package can be run."""
    return [service for service in services if importlib.util.find_spec(f"{service.package}.__main__") is not None]
