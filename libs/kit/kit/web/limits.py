"""How long a connection may take over each of its parts, and how many of them there may be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds from the first byte of a head to its end, for a body, between requests, for the answer's reader to turn
    away (`linger_s`), and for requests at hand when the listener stops; and connections at once.
    """

    header_s: float = 5.0
    body_s: float = 10.0
    idle_s: float = 75.0
    linger_s: float = 1.0
    drain_s: float = 20.0
    connections: int = 4096
