"""The button of a subscription among the products, and what ends a registration."""

from dataclasses import dataclass
from urllib.parse import urlencode

from kit import errors, texts
from maas.subscriptions.model import Subscription

DEEPLINK = "yandextaxi://nearest-metro"
_TEXTS = texts.Catalogue("maas")


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What the app shows where its products are; the link opens a ride to the nearest metro (MA-73, MA-100)."""

    title: str
    subtitle: str
    deeplink: str
    rides_left: int
    pass_id: str


class PhoneRequired(errors.Conflict):
    """A phone is needed to register with the metro."""


class PhoneNotTaken(errors.Conflict):
    """The metro does not take this phone."""


def shortcut_of(subscription: Subscription, language: str) -> Shortcut:
    """The button of a live subscription, in `language`."""
    left = subscription.rides.left
    return Shortcut(
        title=_TEXTS.get(language, "Taxi to the metro"),
        subtitle=_TEXTS.plural(language, "{n} ride left", "{n} rides left", left),
        deeplink=f"{DEEPLINK}?{urlencode({'pass_id': subscription.pass_id})}",
        rides_left=left,
        pass_id=subscription.pass_id,
    )
