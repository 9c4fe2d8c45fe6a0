"""What VTB has on sale."""

from typing import Any

ALL: tuple[dict[str, Any], ...] = (
    {"tariff_id": "metro-taxi-10", "price": {"amount": "2990.00", "currency": "RUB"}}
    | {"taxi_rides": 10, "duration_days": 30},
    {"tariff_id": "metro-taxi-20", "price": {"amount": "4990.00", "currency": "RUB"}}
    | {"taxi_rides": 20, "duration_days": 30},
)


def find(tariff_id: str) -> dict[str, Any] | None:
    """The conditions of a tariff."""
    return next((tariff for tariff in ALL if tariff["tariff_id"] == tariff_id), None)
