"""What the bank says to people, in Russian and English."""

from decimal import Decimal

from sandbox.languages import CATALOGUE

_SPACE = "\N{NO-BREAK SPACE}"

OUTCOMES = {
    "activated": ("Your subscription is active", "The promo code for taxi rides comes to the app by itself."),
    "declined": ("The card was refused", "Nothing was charged. Go back to the app and pay with another card."),
    "refused": ("The purchase was not made", "Nothing was charged."),
    "refunded": ("The money goes back to your card", "The subscription could not be activated."),
    "processing": (
        "We are finishing your purchase",
        "It takes a little longer than usual. You may close this page: nothing is charged twice.",
    ),
    "canceled": ("The purchase is canceled", "Nothing was charged."),
}
REFUSALS = {
    "active_subscription_exists": "You have a subscription already. The next one can be bought when it ends.",
    "antifraud_refused": "The purchase cannot be made now. Please write to support from the app.",
    "budget_exhausted": "All subscriptions of this tariff are sold.",
    "maas_user_not_found": "The seller does not know this buyer. Please register in the app first.",
    "tariff_mismatch": "The conditions of this tariff have changed. Please choose a tariff in the app once more.",
    "user_token_mismatch": "This page is for one purchase and was used, or is too old. Please begin again in the app.",
    "subscription_canceled": "The reservation has ended.",
    "contract_violation": "The address of this page is not whole. Please begin again in the app.",
    "tariff_not_found": "The bank does not sell this tariff.",
    "sale_not_found": "The bank knows of no such purchase.",
    "payments_unavailable": "The bank takes no payments now. Please try again later.",
}
OTHER_REFUSAL = "The seller refused the purchase."


def say(language: str, text: str, **args: str) -> str:
    """A text in the person's language."""
    return CATALOGUE.get(language, text, **args)


def refusal(language: str, code: str | None) -> str:
    """Why something was refused, in a sentence."""
    return say(language, REFUSALS.get(code or "", OTHER_REFUSAL))


def rides(language: str, n: int) -> str:
    """`10 taxi rides`."""
    return CATALOGUE.plural(language, "{n} taxi ride to or from the metro", "{n} taxi rides to or from the metro", n)


def days(language: str, n: int) -> str:
    """`30 days`."""
    return CATALOGUE.plural(language, "{n} day from the payment on", "{n} days from the payment on", n)


def amount(language: str, price: dict[str, str]) -> str:
    """`2 990 ₽`: a price as people write it."""
    value = Decimal(price["amount"])
    plain = f"{value:,.0f}" if value == value.to_integral_value() else f"{value:,.2f}"
    if language == "ru":
        plain = plain.replace(",", _SPACE).replace(".", ",")
    return f"{plain}{_SPACE}{'₽' if price['currency'] == 'RUB' else price['currency']}"
