"""What the database itself does not allow, whatever the code above it does (MA-40, MA-42)."""

from typing import Any

import pytest

from kit import pg


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'reserved'", "subscriptions_legal_move"),
        ("maas_user_id = 'user-9'", "subscriptions_identity"),
        ("taxi_rides = 99", "subscriptions_identity"),
        ("promocode = 'OTHER'", "subscriptions_one_promocode"),
        ("rides_taken = 11", "subscriptions_rides_within_tariff"),
        ("status = 'canceled'", "subscriptions_cancel_has_reason"),
    ],
)
async def test_refuses_the_illegal_change(world: Any, change: str, constraint: str) -> None:
    await world.with_promocode()
    with pytest.raises((pg.CheckViolation, pg.RaisedByTrigger)) as refused:
        await world.execute(f"UPDATE subscriptions.subscriptions SET {change}")
    assert refused.value.constraint == constraint


async def test_refuses_a_second_live_subscription(world: Any) -> None:
    await world.activated()
    with pytest.raises(pg.UniqueViolation) as refused:
        await world.execute(
            """INSERT INTO subscriptions.subscriptions (pass_id, maas_user_id, tariff_id, price, currency, taxi_rides,
               duration_days, promocode_series_id, status, reserved_until, expiration_datetime)
               VALUES ('pass-2', 'user-1', 't', 1, 'RUB', 1, 1, 's', 'reserved', now(), now())"""
        )
    assert refused.value.constraint == "subscriptions_one_live"


async def test_refuses_to_move_an_ended_ride(world: Any) -> None:
    await world.with_promocode(rides=9)
    with pytest.raises(pg.RaisedByTrigger) as refused:
        await world.execute("UPDATE subscriptions.rides SET state = 'released'")
    assert refused.value.constraint == "rides_legal_move"
