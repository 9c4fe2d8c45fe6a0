"""An offer of the bank, and whether it may be sold."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit import errors
from maas.subscriptions.model import Variant


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a tariff may be sold; `count` is how many are left (None: no end), `refusal` why none is to be had."""

    tariff_id: str
    count: int | None
    refusal: errors.Refusal | None = None

    @property
    def is_available(self) -> bool:
        """True when nothing refuses it."""
        return self.refusal is None


def count_left(variant: Variant, sold: Mapping[str, int]) -> int | None:
    """What is left of the tariff's budget, never below zero; None without a budget."""
    if variant.budget is None:
        return None
    return max(0, variant.budget - sold.get(variant.tariff.tariff_id, 0))
