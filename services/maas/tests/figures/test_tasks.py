"""The figures that the pilot is judged by (MA-07..MA-10, MA-106)."""

import math
from collections.abc import Callable
from typing import Any

from kit import caches, metrics
from maas.figures import actions, model
from testkit.waiting import until

TARIFF = "metro-taxi-10"


async def _counted(world: Any) -> None:
    """The figures of now, in the metrics of this process."""
    assert await world.runs("maas.figures.count") == ["done"]
    await until(_shows(await world.maas.context.db.one(_value, "SELECT figures FROM reports.figures")))


def _value(figures: list[dict[str, Any]]) -> dict[str, Any]:
    return next(figure for figure in figures if figure["name"] == "maas_figures_counted_at_seconds")


def _shows(counted: dict[str, Any]) -> Callable[[], bool]:
    return lambda: metrics.value(counted["name"]) == counted["value"]


async def _sold(world: Any, pass_id: str, status: str, *, days_ago: int = 0, **columns: Any) -> None:
    """A subscription of ten rides for 2990 as it stands some days after it was activated."""
    row = {"maas_user_id": f"user-of-{pass_id}", "yandex_uid": None, "promocode_status": "none"} | columns
    row |= {
        "pass_id": pass_id,
        "status": status,
        "reason": "revoked" if status == "canceled" else None,
        "ago": days_ago,
    }
    await world.execute(
        """INSERT INTO subscriptions.subscriptions
               (pass_id, maas_user_id, yandex_uid, tariff_id, price, currency, taxi_rides, duration_days,
                promocode_series_id, status, cancel_reason, canceled_at, promocode_status, reserved_until, activated_at,
                expiration_datetime)
           VALUES (%(pass_id)s, %(maas_user_id)s, %(yandex_uid)s, 'metro-taxi-10', 2990, 'RUB', 10, 30, 's', %(status)s,
                   %(reason)s, CASE WHEN %(status)s = 'canceled' THEN now() END, %(promocode_status)s, now(),
                   now() - make_interval(days => %(ago)s), now() + make_interval(days => 30 - %(ago)s))""",
        **row,
    )


async def _rode(world: Any, pass_id: str, *prices: int, days_ago: int = 0) -> None:
    for number, price in enumerate(prices):
        await world.execute(
            """INSERT INTO subscriptions.rides (order_id, pass_id, state, price, currency, finished_at)
               VALUES (%(order)s, %(pass_id)s, 'used', %(price)s, 'RUB', now() - make_interval(days => %(ago)s))""",
            order=f"{pass_id}-{days_ago}-{number}",
            pass_id=pass_id,
            price=price,
            ago=days_ago,
        )


async def test_counts_subscriptions_and_rides_as_time_has_made_them(world: Any) -> None:
    await _sold(world, "pass-1", "activated")
    await _sold(world, "pass-2", "activated", days_ago=31)
    await _sold(world, "pass-3", "canceled")
    await world.reserved("pass-4", "user-4")
    await _rode(world, "pass-1", 180, 200)
    await world.execute("INSERT INTO subscriptions.rides (order_id, pass_id, state) VALUES ('o', 'pass-1', 'held')")
    await _counted(world)
    by_status = {
        status: metrics.value("maas_subscriptions", status=status, tariff=TARIFF)
        for status in ("reserved", "activated", "expired", "canceled")
    }
    assert by_status == {"reserved": 1, "activated": 1, "expired": 1, "canceled": 1}
    assert [metrics.value("maas_rides", state=state, tariff=TARIFF) for state in ("held", "used", "released")] == [
        1,
        2,
        0,
    ]
    assert [metrics.value("maas_reached", of=of) for of in ("subscriptions", "rides")] == [3, 2]
    assert [metrics.value("maas_goal", of=of) for of in ("subscriptions", "rides")] == [10_000, 100_000]


async def test_says_how_much_of_ended_subscriptions_was_used_and_kept(world: Any) -> None:
    await _sold(world, "pass-1", "activated")
    await _sold(world, "pass-2", "expired", days_ago=31)
    await _sold(world, "pass-3", "canceled", days_ago=5)
    await _rode(world, "pass-1", 100)
    await _rode(world, "pass-2", *[100] * 7)
    await _rode(world, "pass-3", *[100] * 4)
    await _counted(world)
    assert metrics.value("maas_utilisation_ratio") == 11 / 20
    assert metrics.value("maas_burned_money", currency="RUB") == 9 * 299


async def test_says_what_a_ride_costs_and_what_is_paid_on_top(world: Any) -> None:
    await _sold(world, "pass-1", "activated")
    await _rode(world, "pass-1", 180, 400, 500)
    await _counted(world)
    assert metrics.value("maas_ride_price_mean", currency="RUB") == 360
    assert metrics.value("maas_ride_subsidy_mean", currency="RUB") == 360 - 299
    assert metrics.value("maas_subsidy_money", currency="RUB") == 3 * (360 - 299)


async def test_says_how_active_people_are(world: Any) -> None:
    await _sold(world, "pass-1", "activated", days_ago=15)
    await _sold(world, "pass-2", "expired", days_ago=45)
    await _rode(world, "pass-1", 100, 100, 100)
    await _rode(world, "pass-2", 100, days_ago=20)
    await _rode(world, "pass-2", 100, 100, days_ago=40)
    await _counted(world)
    assert math.isclose(metrics.value("maas_rides_per_month"), 4.0, rel_tol=0.001)


async def test_says_who_is_matched_and_what_waits(world: Any) -> None:
    await _sold(world, "pass-1", "activated", yandex_uid="4001", promocode_status="pending")
    await _sold(world, "pass-2", "activated", yandex_uid="4002", promocode_status="failed")
    await world.pass_time(minutes=5)
    await world.execute(
        """INSERT INTO users.users (personal_phone_id, maas_user_id, yandex_uid, uid_kind) VALUES
           ('p1', 'u1', '4001', 'portal'), ('p2', 'u2', '4002', 'phonish'), ('p3', 'u3', NULL, NULL),
           ('p4', NULL, '4004', 'phonish'), ('p5', 'u5', '4005', 'portal')"""
    )
    await world.execute(
        """INSERT INTO users.purchase_tokens
               (token_hash, yandex_uid, maas_user_id, tariff_id, expires_at, used_by_pass_id)
           SELECT sha256(n::text::bytea), '4001', 'u1', 't', now() + make_interval(mins => 2 - n),
                  CASE n WHEN 0 THEN 'pass-1' END FROM generate_series(0, 3) AS n"""
    )
    await _counted(world)
    kinds = {kind: metrics.value("maas_persons", kind=kind) for kind in ("portal", "phonish", "unbound", "unmatched")}
    assert kinds == {"portal": 2, "phonish": 1, "unbound": 1, "unmatched": 1}
    assert metrics.value("maas_match_ratio") == 0.75
    assert metrics.value("maas_purchase_tokens_outstanding") == 1
    assert [metrics.value("maas_promocodes", status=each) for each in ("pending", "failed", "issued")] == [1, 1, 0]
    assert 300 <= metrics.value("maas_promocode_oldest_wait_seconds") < 330


async def test_is_ready_before_anything_was_counted(world: Any) -> None:
    await until(lambda: _is_loaded(world))
    assert world.maas.context.caches.get(actions.FIGURES) == []


def _is_loaded(world: Any) -> bool:
    try:
        world.maas.context.caches.get(actions.FIGURES)
    except caches.NotLoaded:
        return False
    return True


async def test_shows_no_more_what_is_gone(world: Any) -> None:
    await _sold(world, "pass-1", "expired", days_ago=31)
    await _counted(world)
    assert metrics.value("maas_subscriptions", status="expired", tariff=TARIFF) == 1
    await world.execute("DELETE FROM subscriptions.subscriptions")
    await _counted(world)
    assert metrics.value("maas_subscriptions", status="expired", tariff=TARIFF) == 0
    assert math.isnan(metrics.value("maas_utilisation_ratio"))


async def test_counts_nothing_that_it_does_not_explain(world: Any) -> None:
    await _sold(world, "pass-1", "expired", days_ago=31)
    await _rode(world, "pass-1", 100)
    await world.execute(
        "INSERT INTO subscriptions.comparisons (day, planned, finished_at) VALUES ('2026-01-31', 1, now())",
    )
    await world.execute(
        """INSERT INTO subscriptions.differences (day, pass_id, kind, ours, theirs)
           VALUES ('2026-01-31', 'pass-1', 'status', 'expired', 'activated')"""
    )
    await _counted(world)
    shown = world.maas.context.caches.get(actions.FIGURES)
    labels = {figure.name: len(figure.labels) for figure in shown}
    assert labels == {name: len(model.MEANINGS[name].labels) for name in labels}
    assert set(model.MEANINGS) - set(labels) == {"maas_match_ratio", "maas_promocode_oldest_wait_seconds"}
    assert metrics.value("maas_vtb_differences", kind="status") == 1
