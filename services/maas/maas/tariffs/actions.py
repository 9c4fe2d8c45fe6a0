"""What may be sold, to anybody and to one person."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit import errors, pg
from maas.subscriptions import actions as subscriptions
from maas.subscriptions.model import BudgetExhausted, Tariff, TariffMismatch, Terms, variant_of
from maas.tariffs import model
from maas.users import actions as users


async def list_available(
    *, db: pg.Executor, tariffs: Sequence[Tariff], variants: Sequence[Mapping[str, Any]]
) -> list[model.Availability]:
    """Which tariffs may be sold, and how many of each, in the order asked (MX-11, MA-60)."""
    sold = await subscriptions.count_sold(db=db, tariff_ids=[tariff.tariff_id for tariff in tariffs])
    return [_availability(tariff, variants, sold) for tariff in tariffs]


async def list_available_to(
    *, db: pg.Executor, maas_user_id: str, tariffs: Sequence[Tariff], terms: Terms
) -> list[model.Availability]:
    """The same for one person: a tariff is available when a `reserve` of it would succeed now (MX-12, MA-61).

    users.MaasUserNotFound.
    """
    await users.get(db=db, maas_user_id=maas_user_id)
    counted = await list_available(db=db, tariffs=tariffs, variants=terms.variants)
    return [
        model.Availability(each.tariff_id, each.count, await _refusal(db, maas_user_id, tariff, terms))
        for each, tariff in zip(counted, tariffs, strict=True)
    ]


def _availability(tariff: Tariff, variants: Sequence[Mapping[str, Any]], sold: Mapping[str, int]) -> model.Availability:
    try:
        count = model.count_left(variant_of(tariff, variants), sold)
    except TariffMismatch as mismatch:
        return model.Availability(tariff.tariff_id, 0, mismatch)
    return model.Availability(tariff.tariff_id, count, BudgetExhausted() if count == 0 else None)


async def _refusal(db: pg.Executor, maas_user_id: str, tariff: Tariff, terms: Terms) -> errors.Refusal | None:
    try:
        await subscriptions.check_sale(db=db, maas_user_id=maas_user_id, tariff=tariff, terms=terms)
    except (errors.Conflict, errors.Forbidden) as refusal:
        return refusal
    return None
