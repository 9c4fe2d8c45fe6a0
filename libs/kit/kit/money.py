"""Money as every API writes it: a decimal string and an ISO 4217 code; never a float."""

from dataclasses import dataclass
from decimal import Decimal

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of a currency, exact to a hundredth."""

    amount: Decimal
    currency: str = "RUB"

    def to_wire(self) -> dict[str, str]:
        """`{"amount": "169.00", "currency": "RUB"}`."""
        return {"amount": str(self.amount.quantize(_CENT)), "currency": self.currency}
