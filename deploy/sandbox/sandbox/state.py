"""What the world remembers: plain records, written whole to one JSON file before the change is answered.

The file is replaced atomically after each change, so a sandbox that is killed at any moment has given no promo code
that it will not give again. It is not synced to the disk: it outlives the process, not the machine.
"""

import dataclasses
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson

from sandbox.music import records

VERSION = 1

Record = TypeVar("Record")


class StateBroken(Exception):
    """The state file can't be used; the message is one sentence for a person."""


@dataclass(slots=True)
class Person:
    """A demo person with an account; `uid_kind` is portal or phonish."""

    session: str
    phone: str
    yandex_uid: str
    uid_kind: str
    in_taxi: bool
    phone_id: str
    personal_phone_id: str
    user_id: str
    has_plus: bool = False


@dataclass(slots=True)
class Promocode:
    """A code that `coupons` gave for `token`, once and for ever."""

    promocode: str
    token: str
    series_id: str
    yandex_uids: list[str]
    rides: int
    expires_at: str
    status: str = "active"
    service: str = "maas"


@dataclass(slots=True)
class Order:
    """A ride in order processing; `owed` is what maas has not been told yet: complete, release or nothing."""

    order_id: str
    yandex_uid: str
    promocode: str
    route: dict[str, Any]
    price: dict[str, str]
    payment_method: str
    status: str = "created"
    refused: str | None = None
    owed: str | None = None
    ending: dict[str, Any] | None = None
    ride: dict[str, Any] | None = None


@dataclass(slots=True)
class Subscription:
    """A subscription as VTB sees it."""

    pass_id: str
    status: str
    maas_user_id: str | None = None
    expires_at: str | None = None


@dataclass(slots=True)
class Sale:
    """A purchase in VTB's WebView; `card` is good or bad, `owed` what maas has not answered yet: reserve, activate,
    cancel or nothing. The token is kept until the reservation is answered.
    """

    pass_id: str
    maas_user_id: str
    tariff_id: str
    card: str
    made_at: str
    user_token: str | None
    status: str = "reserving"
    owed: str | None = "reserve"
    refused: str | None = None


@dataclass(slots=True)
class MetroRide:
    """A ride by metro that the bank knows of; `is_owed` until maas has answered for it."""

    ride_id: str
    pass_id: str
    maas_user_id: str
    station: str
    at: str
    is_owed: bool = True


@dataclass(slots=True)
class TaxiRide:
    """A taxi ride that VTB was told of."""

    ride_id: str
    pass_id: str
    maas_user_id: str
    cost: dict[str, str]
    finished_at: str
    taxi_rides_left: int


@dataclass(slots=True)
class State:
    """All records, each kind by its key."""

    phones: dict[str, str] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    promocodes: dict[str, Promocode] = field(default_factory=dict)
    codes_by_token: dict[str, str] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    vtb_users: dict[str, str] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    taxi_rides: dict[str, TaxiRide] = field(default_factory=dict)
    metro_rides: dict[str, MetroRide] = field(default_factory=dict)
    sales: dict[str, Sale] = field(default_factory=dict)
    personal_states: dict[str, dict[str, Any]] = field(default_factory=dict)
    drivers: dict[str, records.Driver] = field(default_factory=dict)
    plain_orders: dict[str, records.PlainOrder] = field(default_factory=dict)
    events: dict[str, records.Event] = field(default_factory=dict)
    grants: dict[str, records.Grant] = field(default_factory=dict)
    pushes: dict[str, records.Push] = field(default_factory=dict)


_KINDS: Mapping[str, type] = {
    "people": Person,
    "promocodes": Promocode,
    "orders": Order,
    "subscriptions": Subscription,
    "taxi_rides": TaxiRide,
    "metro_rides": MetroRide,
    "sales": Sale,
    **records.KINDS,
}


class Store:
    """The state and its file; change `state`, then `save()` before answering. Without a path nothing is kept."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.state = _load(path) if path is not None and path.exists() else State()
        if path is not None:
            self.save()

    def save(self) -> None:
        """Replaces the file by the present state; OSError when it can't be written."""
        if self._path is None:
            return
        draft = self._path.with_name(f".{self._path.name}.draft")
        # Not asdict(): it copies deeply, and a world of 10,000 codes would be saved ten times slower.
        kinds = {kind.name: getattr(self.state, kind.name) for kind in dataclasses.fields(self.state)}
        draft.write_bytes(orjson.dumps({"version": VERSION, **kinds}))
        os.replace(draft, self._path)

    def reset(self) -> None:
        """Forgets everything."""
        self.state = State()
        self.save()


def _load(path: Path) -> State:
    try:
        found = json.loads(path.read_bytes())
    except OSError as failure:
        raise StateBroken(f"the state file {path} can't be read: {failure.strerror}") from None
    except ValueError:
        raise StateBroken(f"the state file {path} is not JSON") from None
    if not isinstance(found, dict) or found.pop("version", None) != VERSION:
        raise StateBroken(f"the state file {path} is not a state of version {VERSION}")
    try:
        return State(**{name: _records(name, records) for name, records in found.items()})
    except (TypeError, AttributeError):
        raise StateBroken(f"the state file {path} has records of another shape") from None


def _records(name: str, records: dict[str, Any]) -> dict[str, Any]:
    kind = _KINDS.get(name)
    return {key: value if kind is None else _record(kind, value) for key, value in records.items()}


def _record(kind: type[Record], value: Mapping[str, Any]) -> Record:
    return kind(**value)


def stable_id(realm: str, value: str, length: int) -> str:
    """The id that `realm` gives to `value`: `length` hex digits, the same in every world."""
    return hashlib.sha256(f"{realm}\0{value}".encode()).hexdigest()[:length]


def fresh_id(length: int = 32) -> str:
    """An id that was never given before: `length` hex digits."""
    return secrets.token_hex(length // 2)
