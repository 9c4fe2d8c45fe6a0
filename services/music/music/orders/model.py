"""Events of processing, and what becomes of them."""

import enum
import re
from collections.abc import Collection
from dataclasses import dataclass

from music.players.model import Driver, Player

PORTAL = "portal"
YA_PLUS = "ya-plus"
"""Flags of an account: a full one, and one that had Plus when processing last heard of it."""

DRIVER_CHANGED = "driver_changed"
PASSENGER_CHANGED = "passenger_changed"
NOT_AVAILABLE = "not_available"
IDLE = "idle"
"""Reasons why a player is closed, beside those that processing gives for the end of an order."""

SUPERSEDED = "superseded"
CLOSED = "closed"
"""Reasons why an assignment has no player, beside those why none was opened: it is old news, or the player is gone."""

_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,4}", re.ASCII)


class NotOpened(enum.StrEnum):
    """Why an order has no music (M-24..M-26, M-34), in the order in which it is asked."""

    NOT_IN_EXPERIMENT = "not_in_experiment"
    NOT_PORTAL = "not_portal"
    TAXIMETER_TOO_OLD = "taximeter_too_old"
    NO_PLUS = "no_plus"


@dataclass(frozen=True, slots=True)
class Passenger:
    """Who rides, as processing knows them."""

    yandex_uid: str
    flags: Collection[str]
    phone_id: str | None = None
    application: str | None = None
    application_version: str | None = None
    city: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """An order was given to a driver."""

    order_id: str
    event_seq: int
    passenger: Passenger
    driver: Driver
    taximeter_version: str

    def is_of(self, player: Player) -> bool:
        """True when this very player is what the assignment asks for."""
        return player.driver == self.driver and player.yandex_uid == self.passenger.yandex_uid

    def ends(self, player: Player) -> str:
        """Why a player that does not stay is closed."""
        if player.driver != self.driver:
            return DRIVER_CHANGED
        return NOT_AVAILABLE if self.is_of(player) else PASSENGER_CHANGED


@dataclass(frozen=True, slots=True)
class Finish:
    """An order is over."""

    order_id: str
    event_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How an order stands: the seq of its last event, and what became of that."""

    event_seq: int
    not_opened_reason: str | None
    player_id: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an assignment came to: a player, or why there is none."""

    player_id: str | None
    reason: str | None


def outcome_of(standing: Standing | None, event_seq: int) -> Outcome:
    """What the assignment with this seq came to, as the order stands now."""
    if standing is None or standing.event_seq != event_seq:
        return Outcome(None, SUPERSEDED)
    if standing.player_id is not None:
        return Outcome(standing.player_id, None)
    return Outcome(None, standing.not_opened_reason or CLOSED)


def is_old(version: str, first: str) -> bool:
    """True for a taximeter that is older than the first one that can play, and for one whose version is no version."""
    return not _VERSION.fullmatch(version) or _numbers(version) < _numbers(first)


def _numbers(version: str) -> list[int]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers
