"""What the model of maas speaks of: calls, and the state of one person's subscriptions and rides."""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

RESERVED, ACTIVATED, EXPIRED, CANCELED = "reserved", "activated", "expired", "canceled"
# Canceled by time: what a late payment may still activate (MA-48).
LAPSED = "lapsed"
LIVE = (RESERVED, ACTIVATED)
HELD, USED, RELEASED = "held", "used", "released"
RIDES_OF_TARIFF = {"metro-taxi-10": 10, "metro-taxi-2": 2}

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Action:
    """One call: `kind` is a name of `KINDS`; a ride has an order beside the pass that pays for it.

    `token` is a name that says which tariff it is for, `token-1 metro-taxi-2`; its text is nobody's business here.
    """

    kind: str
    pass_id: str = ""
    tariff: str = ""
    order_id: str = ""
    keeps_rules: bool = True
    token: str = ""

    def __str__(self) -> str:
        more = "" if self.keeps_rules else "against the rules"
        return " ".join(filter(None, (self.kind, self.order_id, self.pass_id, self.tariff, self.token, more)))


class Pass(NamedTuple):
    """One subscription."""

    status: str
    tariff: str
    has_code: bool = False
    extensions: int = 0


class Ride(NamedTuple):
    """One line of the ledger."""

    pass_id: str
    state: str = HELD
    reason: str | None = None


class Person(NamedTuple):
    """The state: passes, rides, and the pass for which each token was spent, all in order of their names."""

    passes: tuple[tuple[str, Pass], ...] = ()
    rides: tuple[tuple[str, Ride], ...] = ()
    spent: tuple[tuple[str, str], ...] = ()

    def find_pass(self, pass_id: str) -> Pass | None:
        """The subscription."""
        return dict(self.passes).get(pass_id)

    def find_ride(self, order_id: str) -> Ride | None:
        """The ride of an order."""
        return dict(self.rides).get(order_id)

    def with_pass(self, pass_id: str, changed: Pass) -> "Person":
        """The state with this subscription."""
        return self._replace(passes=_with(self.passes, pass_id, changed))

    def with_ride(self, order_id: str, changed: Ride) -> "Person":
        """The state with this ride."""
        return self._replace(rides=_with(self.rides, order_id, changed))

    def with_spent(self, token: str, pass_id: str) -> "Person":
        """The state in which a token was spent."""
        return self._replace(spent=_with(self.spent, token, pass_id))

    @property
    def has_live(self) -> bool:
        """True while a subscription is reserved or active."""
        return any(each.status in LIVE for _, each in self.passes)

    def rides_in(self, pass_id: str, state: str) -> int:
        """Rides of a subscription in a state."""
        return sum(1 for _, ride in self.rides if (ride.pass_id, ride.state) == (pass_id, state))


def _with(items: tuple[tuple[str, V], ...], key: str, value: V) -> tuple[tuple[str, V], ...]:
    return tuple(sorted((dict(items) | {key: value}).items()))
