"""An offer, the screen it stands on, and the way to the bank's page."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from kit import errors, money, texts
from maas.subscriptions.model import Subscription

_TEXTS = texts.Catalogue("maas")


class Sold(Protocol):
    """A tariff as the bank sells it."""

    @property
    def tariff_id(self) -> str: ...
    @property
    def price(self) -> money.Money: ...
    @property
    def taxi_rides(self) -> int: ...
    @property
    def duration_days(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A tariff with what is said of it."""

    tariff_id: str
    price: money.Money
    taxi_rides: int
    duration_days: int
    title: str
    description: str
    details: Sequence[str]


@dataclass(frozen=True, slots=True)
class Product:
    """The purchase screen of one person."""

    maas_user_id: str
    tariffs: Sequence[Offer]
    ui: Mapping[str, str]
    subscription: Subscription | None


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase that may go on in the bank's page; the token is for the app alone."""

    webview_url: str = field(repr=False)
    maas_user_id: str
    tariff_id: str
    user_token: str = field(repr=False)
    expires_at: datetime.datetime


class MaasUserNotFound(errors.Unauthorized):
    """Register with the metro first."""


class TariffNotFound(errors.NotFound):
    """There is no such tariff."""


def offers(
    sold: Iterable[Sold],
    variants: Iterable[Mapping[str, Any]],
    described: Mapping[str, Mapping[str, Mapping[str, Any]]],
    language: str,
) -> list[Offer]:
    """What is sold and agreed alike, in the order of the agreement, in `language` (MA-54)."""
    on_sale = {(each.tariff_id, each.price, each.taxi_rides, each.duration_days) for each in sold}
    return [
        Offer(**conditions, **_description(conditions, described, language))
        for conditions in map(_conditions, variants)
        if tuple(conditions.values()) in on_sale
    ]


def _conditions(variant: Mapping[str, Any]) -> dict[str, Any]:
    return {name: variant[name] for name in ("tariff_id", "price", "taxi_rides", "duration_days")}


def _description(
    conditions: Mapping[str, Any], described: Mapping[str, Mapping[str, Mapping[str, Any]]], language: str
) -> Mapping[str, Any]:
    texts_of_tariff = described.get(conditions["tariff_id"])
    if texts_of_tariff is not None:
        return texts_of_tariff[language]
    rides = _TEXTS.plural(language, "{n} taxi ride", "{n} taxi rides", conditions["taxi_rides"])
    days = _TEXTS.plural(language, "Valid for {n} day", "Valid for {n} days", conditions["duration_days"])
    return {"title": rides, "description": days, "details": []}


def page_url(url: str, **query: str) -> str:
    """`url` of the bank's page with `query` added to what it has."""
    parts = urlsplit(url)
    known = parse_qsl(parts.query, keep_blank_values=True)
    return urlunsplit(parts._replace(query=urlencode([*known, *query.items()])))
