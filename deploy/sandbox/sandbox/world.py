"""What the process holds; every neighbour's handler receives it."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sandbox import callers, catalogue, state
from sandbox import faults as fault_orders
from sandbox import journal as journals
from sandbox.music import catalogue as music_catalogue
from sandbox.music import switches as music_switches

if TYPE_CHECKING:
    from sandbox.taximeter.device import Device


class Verifier(Protocol):
    """Who checks tickets: `kit.tickets.Verifier`."""

    def verify(self, ticket: str | None) -> str:
        """The caller's name; a `kit.errors.Unauthorized` otherwise."""


@dataclass(frozen=True, slots=True)
class World:
    """State, memory of calls, orders to fail, and the way out to our services."""

    store: state.Store
    verifier: Verifier
    services: callers.Callers
    stations: catalogue.Catalogue = field(default_factory=catalogue.load)
    music: music_catalogue.Catalogue = field(default_factory=music_catalogue.load)
    journal: journals.Journal = field(default_factory=journals.Journal)
    faults: fault_orders.Faults = field(default_factory=fault_orders.Faults)
    switches: music_switches.Switches = field(default_factory=music_switches.Switches)
    devices: "dict[str, Device]" = field(default_factory=dict)
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def lock_of(self, record_id: str) -> asyncio.Lock:
        """One hand at a time on an order or a sale."""
        return self.locks.setdefault(record_id, asyncio.Lock())
