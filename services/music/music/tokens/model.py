"""A grant as it is kept: never its token."""

from dataclasses import dataclass

from music.players.model import Driver

DOUBT_S = 300
"""How much longer than told a grant is taken to live: the backend's clock, and a call that was still under way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a taximeter asks for: the music of this order, in this driver's car, for so many seconds."""

    order_id: str
    driver: Driver
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Grant:
    """One access to the music; its seconds are counted from when it was first asked for."""

    grant_id: str
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Holder:
    """The player of a grant, as it is when its token has come."""

    player_id: str
    is_active: bool
    close_reason: str | None
