"""How long a connection may take over each of its parts, and how many of them there may be."""

import functools
import ipaddress
from dataclasses import dataclass

_ONE_HOLDER = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds from the first byte of a head to its end, for a body, between requests, for a client to read what waits
    for it (`write_s`), for the answer's reader to turn away (`linger_s`), and for requests at hand when the listener
    stops; connections at once, of all clients and of one (None: as many as of all); and how many requests may wait at
    once on the routes that do (`waiting`).
    """

    header_s: float = 5.0
    body_s: float = 10.0
    idle_s: float = 75.0
    write_s: float = 20.0
    linger_s: float = 1.0
    drain_s: float = 20.0
    connections: int = 12_288
    connections_per_client: int | None = None
    waiting: int = 10_000


def client_of(peername: object) -> str | None:
    """What counts as the client of a connection; None for one without an address."""
    return client_at(str(peername[0])) if isinstance(peername, tuple) else None


@functools.lru_cache(4096)
def client_at(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 one, all of which one holder has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), _ONE_HOLDER), strict=False))
