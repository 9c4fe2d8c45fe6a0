"""The table of ways through the proxy, and what may be wrong with maas."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from kit import errors
from maas_authproxy.config import Scope

NEW = "/maas-authproxy/v1"
OLD = "/maas-external/v1"
MAAS = "/maas/v1"
GET = ("GET",)
POST = ("POST",)
GET_OR_POST = ("GET", "POST")
_PASS = ("pass_id",)
_PASS_OR_USER = ("pass_id", "maas_user_id")
_POINTS = ("lat_a", "lon_a", "lat_b", "lon_b", "limit", "radius_m")


@dataclass(frozen=True)
class Way:
    """One line of the table: what the partner asks, what maas is asked, and who may.

    `query` are the keys that a GET may have; `asks` marks a POST that changes nothing.
    """

    path: str
    methods: tuple[str, ...]
    upstream: str
    scope: Scope
    summary: str
    query: tuple[str, ...] = ()
    asks: bool = False

    @functools.cached_property
    def is_read(self) -> bool:
        """True for what changes nothing, also when it is asked by POST; only that may be sent to maas again."""
        return self.asks or GET[0] in self.methods

    @functools.cached_property
    def is_old(self) -> bool:
        """True for the names of the first agreement (S2)."""
        return self.path.startswith(OLD)

    @functools.cached_property
    def operation(self) -> str:
        """The name of the call in metrics and QoS: `subscription_reserve`."""
        return _in_words(self.upstream.removeprefix(MAAS))

    @functools.cached_property
    def name(self) -> str:
        """The name of the route in the API's description."""
        prefix = "old_" if self.is_old else ""
        return prefix + _in_words(self.path.removeprefix(OLD).removeprefix(NEW))


def _in_words(path: str) -> str:
    return path.strip("/").replace("/", "_").replace("-", "_")


_IN = "Registers the person whom VTB created, by phone (MX-16, MA-33)."
_UPDATE = "Changes the phone of a person, where the config allows it (MA-25)."
_RESERVE = "Promises a subscription before its payment (MX-17, MA-45)."
_ACTIVATE = "Begins a paid subscription (MX-19, MA-48)."
_CANCEL = "Ends a reservation whose payment failed (MX-20, MA-51)."
_EXTEND = "Keeps a reservation while its payment takes longer (MX-18)."
_INFO = "A subscription with its rides left (MX-24, MA-97)."
_STATUS = "The states of a subscription, for those who wait for one (MA-103)."
_FOR_SALE = "How many subscriptions of each tariff may be sold now (MX-11)."
_FOR_PERSON = "The tariffs that this person may buy, by the checks of a reservation (MX-12)."
_METRO = "Stations that a ride may end at, nearest first (MX-26, MA-101)."
_RIDES = "Takes a report of rides by metro; a ride that is known already changes nothing (MX-04, MA-11)."
_U, _S, _T, _M, _R = Scope.USERS, Scope.SUBSCRIPTIONS, Scope.TARIFFS, Scope.METRO, Scope.RIDES

# fmt: off
TABLE = (
    Way(f"{NEW}/users/create",           POST,        f"{MAAS}/users/create",           _U, _IN),
    Way(f"{NEW}/user/create",            POST,        f"{MAAS}/users/create",           _U, _IN),
    Way(f"{NEW}/user/register",          POST,        f"{MAAS}/users/create",           _U, _IN),
    Way(f"{NEW}/user/update",            POST,        f"{MAAS}/user/update",            _U, _UPDATE),
    Way(f"{NEW}/subscription/reserve",   POST,        f"{MAAS}/subscription/reserve",   _S, _RESERVE),
    Way(f"{NEW}/subscription/extend",    POST,        f"{MAAS}/subscription/extend",    _S, _EXTEND),
    Way(f"{NEW}/subscription/activate",  POST,        f"{MAAS}/subscription/activate",  _S, _ACTIVATE),
    Way(f"{NEW}/subscription/cancel",    POST,        f"{MAAS}/subscription/cancel",    _S, _CANCEL),
    Way(f"{NEW}/subscription/info",      GET_OR_POST, f"{MAAS}/subscription/info",      _S, _INFO, _PASS_OR_USER),
    Way(f"{NEW}/subscription/status",    GET,         f"{MAAS}/subscription/status",    _S, _STATUS, _PASS),
    Way(f"{NEW}/available-tariffs",      POST,        f"{MAAS}/available-tariffs",      _T, _FOR_SALE, asks=True),
    Way(f"{NEW}/available-tariffs/user", POST,        f"{MAAS}/available-tariffs/user", _T, _FOR_PERSON, asks=True),
    Way(f"{NEW}/nearest-metro",          GET_OR_POST, f"{MAAS}/nearest-metro",          _M, _METRO, _POINTS),
    Way(f"{NEW}/rides/metro",            POST,        f"{MAAS}/rides/metro",            _R, _RIDES),
    # the names of the first agreement (S2), served when the config says so
    Way(f"{OLD}/user/create",            POST,        f"{MAAS}/users/create",           _U, _IN),
    Way(f"{OLD}/available-tariffs",      POST,        f"{MAAS}/available-tariffs",      _T, _FOR_SALE, asks=True),
    Way(f"{OLD}/available-tariffs/user", POST,        f"{MAAS}/available-tariffs/user", _T, _FOR_PERSON, asks=True),
    Way(f"{OLD}/pass/reserve",           POST,        f"{MAAS}/subscription/reserve",   _S, _RESERVE),
    Way(f"{OLD}/pass/activate",          POST,        f"{MAAS}/subscription/activate",  _S, _ACTIVATE),
    Way(f"{OLD}/pass/cancel",            POST,        f"{MAAS}/subscription/cancel",    _S, _CANCEL),
    Way(f"{OLD}/pass/info",              GET_OR_POST, f"{MAAS}/subscription/info",      _S, _INFO, _PASS_OR_USER),
    Way(f"{OLD}/nearest-metro",          GET_OR_POST, f"{MAAS}/nearest-metro",          _M, _METRO, _POINTS),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Asked:
    """What is passed on of a request: nothing else of it reaches maas."""

    way: Way
    method: str
    partner: str
    language: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    idempotency_token: str | None = None


class ServiceUnavailable(errors.Unavailable):
    """The service can't be reached now; nothing was done."""


class ServiceTimeout(errors.Timeout):
    """The service did not answer in time; what it did is unknown."""


class ServiceFailed(errors.BadNeighbour):
    """The service failed; what it did is unknown."""
