"""Where the database is and what every session of ours says to it first."""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping

import psycopg2.extensions

_DEFAULTS = {
    "connect_timeout": "3",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "gssencmode": "disable",
}


def parameters(dsn: str, *, application_name: str, settings: Mapping[str, object]) -> dict[str, str]:
    """The libpq parameters of `dsn` with our defaults, and `settings` as session settings (milliseconds, booleans).

    ValueError when it names several hosts: neither aiopg nor a pool of ours can follow libpq from one to the next.
    """
    given = {name: str(value) for name, value in psycopg2.extensions.parse_dsn(dsn).items()}
    for name in ("host", "hostaddr", "port"):
        if "," in given.get(name, ""):
            raise ValueError(f"the DSN names several values for {name}: exactly one host is supported")
    options = " ".join(f"-c {name}={value}" for name, value in {"timezone": "UTC", **settings}.items())
    given["options"] = f"{given.get('options', '')} {options}".strip()
    return {**_DEFAULTS, "application_name": application_name, **given}


async def addresses(wanted: Mapping[str, str]) -> list[str | None]:
    """What to pass as `hostaddr`, in the order to try; libpq itself would resolve the name blocking the loop."""
    host = wanted.get("host", "")
    if not host or host.startswith(("/", "@")) or "hostaddr" in wanted:
        return [None]
    if _is_address(host):
        return [host]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
