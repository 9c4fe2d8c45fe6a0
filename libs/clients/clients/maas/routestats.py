"""The plugin of `/3.0/routestats`: what the app is told when a subscription can't pay (MA-81, MA-95).

restriction = maas.restriction_of(verdict, language="ru")
if restriction is not None:
    tariff["tariff_unavailable"] = restriction.to_wire()
"""

import enum
from dataclasses import dataclass

from clients.maas import model
from kit import texts

CODE = "tariff_unavailable"


class Action(enum.StrEnum):
    """What the passenger can do about it."""

    CHANGE_POINTS = "change_points"
    PURCHASE = "purchase"
    CHANGE_PAYMENT_METHOD = "change_payment_method"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Why the tariff is not to be had by subscription: `message` is for people, `action` is what the app offers."""

    message: str
    action: Action
    code: str = CODE

    def to_wire(self) -> dict[str, str]:
        """The field of an answer."""
        return {"code": self.code, "message": self.message, "action": self.action.value}


_TEXTS = texts.Catalogue("clients")
_PAY_BY_CARD = "A ride by subscription is paid by card only. Choose a card."
_OTHER_POINTS = "No ride between the chosen points A and B, try to change the route"
_BUY_ANOTHER = "All taxi rides of your subscription are spent. Buy another one."
_BUY = "You have no active subscription. Buy one to go to the metro by taxi."
_PURCHASES = {"no_rides_left": _BUY_ANOTHER}


def restriction_of(verdict: model.Verdict, *, language: str) -> Restriction | None:
    """What stands in the way of a ride by subscription, in `ru` or `en`; None when nothing does.

    A wrong way to pay is told before the points: another card helps whatever the route is.
    """
    if verdict.valid:
        return None
    if verdict.code == "payment_method_not_allowed":
        return Restriction(_TEXTS.get(language, _PAY_BY_CARD), Action.CHANGE_PAYMENT_METHOD)
    if verdict.valid_any:
        return Restriction(_TEXTS.get(language, _OTHER_POINTS), Action.CHANGE_POINTS)
    return Restriction(_TEXTS.get(language, _PURCHASES.get(verdict.code or "", _BUY)), Action.PURCHASE)
