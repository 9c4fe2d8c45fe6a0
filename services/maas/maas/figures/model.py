"""What is counted, and what each figure means."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """A gauge: what it says, its labels, and what it shows when there is nothing to count or to divide by."""

    doc: str
    labels: tuple[str, ...] = ()
    absent: float = 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One counted value; `labels` in the order of its meaning."""

    name: str
    labels: tuple[str, ...]
    value: float


_MONEY = ("currency",)

# A ride's share of a subscription is price / taxi_rides; the price pays for the metro too, so a subsidy is at least so
# large. A subscription is ended when its time is over or when it was revoked; a month is 30 days.
MEANINGS: Mapping[str, Meaning] = {
    "maas_subscriptions": Meaning("Subscriptions as time has made them by now", ("status", "tariff")),
    "maas_rides": Meaning("Taxi rides in the ledger", ("state", "tariff")),
    "maas_goal": Meaning("What the pilot is to reach (MA-10)", ("of",)),
    "maas_reached": Meaning("Subscriptions ever activated, taxi rides used (MA-10)", ("of",)),
    "maas_rides_per_month": Meaning(
        "Activity: rides of the last month per month that subscriptions were active in it (MA-07)", (), math.nan
    ),
    "maas_utilisation_ratio": Meaning("Rides used of those bought, in ended subscriptions (MA-08)", (), math.nan),
    "maas_burned_money": Meaning("The share of the rides that ended subscriptions did not use (MA-08)", _MONEY),
    "maas_ride_price_mean": Meaning("The mean price of a used ride (MA-09)", _MONEY, math.nan),
    "maas_ride_subsidy_mean": Meaning(
        "The mean price of a used ride less its mean share of the subscription (MA-09)", _MONEY, math.nan
    ),
    "maas_subsidy_money": Meaning("The prices of all used rides less their shares of the subscriptions", _MONEY),
    "maas_promocodes": Meaning("Promo codes of paid subscriptions", ("status",)),
    "maas_promocode_oldest_wait_seconds": Meaning("How long the oldest missing promo code of an owner is awaited"),
    "maas_persons": Meaning("Rows of people: bound to portal or phonish, unbound, unmatched", ("kind",)),
    "maas_match_ratio": Meaning("Persons of the metro whose account is known (MA-21)", (), math.nan),
    "maas_purchase_tokens_outstanding": Meaning("Purchase tokens that could still be spent (MA-58)"),
    "maas_vtb_differences": Meaning("Subscriptions that the bank has otherwise, by the last comparison", ("kind",)),
    "maas_vtb_comparison_age_seconds": Meaning("Since the last finished comparison with the bank began", (), math.nan),
    "maas_figures_counted_at_seconds": Meaning("When these figures were counted, in seconds of Unix time"),
}
