"""What the bank may sell (MX-11..13, MA-60..62)."""

import dataclasses
import itertools
from typing import Any

import hypothesis
import hypothesis.strategies as st


async def _ask(world: Any, *tariffs: Any, **person: str) -> Any:
    path = "available-tariffs/user" if person else "available-tariffs"
    return await world.partner(path, {"tariffs": list(tariffs)} | person)


async def _agreed(world: Any, *tariffs: Any) -> None:
    await world.configured(MAAS_TARIFFS=[tariff | {"promocode_series_id": "maas-10"} for tariff in tariffs])


async def test_counts_what_is_left_of_each_tariff(world: Any) -> None:
    ten, twenty = world.tariff, world.tariff | {"tariff_id": "metro-taxi-20"}
    spent = world.tariff | {"tariff_id": "spent"}
    await _agreed(world, ten | {"budget": 3}, twenty, spent | {"budget": 0})
    await world.activated()
    answer = await _ask(world, twenty, ten, spent, ten | {"taxi_rides": 99})
    assert (answer.status, answer.body["tariffs"]) == (
        200,
        [
            {"tariff_id": "metro-taxi-20", "available": True, "available_count": None},
            {"tariff_id": "metro-taxi-10", "available": True, "available_count": 2},
            {"tariff_id": "spent", "available": False, "available_count": 0, "reason": "budget_exhausted"},
            {"tariff_id": "metro-taxi-10", "available": False, "available_count": 0, "reason": "tariff_mismatch"},
        ],
    )


async def test_takes_one_to_fifty_tariffs(world: Any) -> None:
    await world.registered("user-1")
    for count, status in ((0, 400), (1, 200), (50, 200), (51, 400)):
        assert (await _ask(world, *[world.tariff] * count)).status == status
        assert (await _ask(world, *[world.tariff] * count, maas_user_id="user-1")).status == status


async def test_sells_no_second_subscription_to_a_person(world: Any) -> None:
    await world.reserved()
    (shown,) = (await _ask(world, world.tariff, maas_user_id="user-1")).body["tariffs"]
    assert (shown["available"], shown["available_count"], shown["reason"]) == (
        False,
        None,
        "active_subscription_exists",
    )


async def test_knows_no_unknown_person(world: Any) -> None:
    answer = await _ask(world, world.tariff, maas_user_id="nobody")
    assert (answer.status, answer.code) == (404, "maas_user_not_found")


@dataclasses.dataclass(frozen=True)
class Situation:
    """A person who is about to buy, and what stands in the way."""

    past: str
    is_settled: bool
    is_known: bool
    is_agreed: bool
    budget: int | None
    sold_to_others: int
    antifraud: str


SITUATIONS = st.builds(
    Situation,
    past=st.sampled_from(["none", "reserved", "activated", "overdue", "expired", "canceled"]),
    is_settled=st.booleans(),
    is_known=st.sampled_from([True, True, True, False]),
    is_agreed=st.sampled_from([True, True, True, False]),
    budget=st.sampled_from([None, 0, 1, 2]),
    sold_to_others=st.integers(0, 1),
    antifraud=st.sampled_from(["none", "none", "denied", "one a day", "two a day"]),
)
ANTIFRAUD: dict[str, dict[str, Any]] = {
    "none": {},
    "denied": {"denied_maas_user_ids": ["somebody", "buyer"]},
    "one a day": {"reservations_per_day": 1},
    "two a day": {"reservations_per_day": 2},
}
MOVES = {"activated": ["activate"], "expired": ["activate"], "canceled": ["cancel"]}
NUMBERS = itertools.count()


@hypothesis.given(situation=SITUATIONS)
@hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
async def test_says_yes_exactly_when_a_reservation_would_succeed(world: Any, situation: Situation) -> None:
    number = next(NUMBERS)
    tariff = world.tariff | {"tariff_id": f"tariff-{number}"}
    person = await _prepared(world, situation, tariff, number)
    offered = tariff if situation.is_agreed else tariff | {"duration_days": 31}
    told = await _ask(world, offered, maas_user_id=person)
    sale = {"pass_id": f"{person}-new", "maas_user_id": person, "tariff": offered}
    reserved = await world.partner("subscription/reserve", sale)
    if not situation.is_known:
        assert (told.status, told.code) == (404, "maas_user_not_found")
        assert reserved.code == ("maas_user_not_found" if situation.is_agreed else "tariff_mismatch")
        return
    (availability,) = told.body["tariffs"]
    assert (availability["available"], availability.get("reason")) == (reserved.status == 200, reserved.code)
    if availability["available"] and situation.budget is not None:
        (left,) = (await _ask(world, offered)).body["tariffs"]
        assert left["available_count"] == availability["available_count"] - 1


async def _prepared(world: Any, situation: Situation, tariff: Any, number: int) -> str:
    """Brings the situation about with everything allowed; then its rules come into force. The person."""
    person = f"person-{number}" if situation.antifraud != "denied" else f"buyer-{number}"
    await world.configured(
        MAAS_TARIFFS=[tariff | {"promocode_series_id": "s"}], MAAS_ANTIFRAUD={"denied_maas_user_ids": [f"x-{number}"]}
    )
    for other in range(situation.sold_to_others):
        await _bought(world, f"other-{number}-{other}", f"+7917{number:07}", tariff, [])
    if situation.is_known:
        moves = None if situation.past == "none" else MOVES.get(situation.past, [])
        await _bought(world, person, f"+7916{number:07}", tariff, moves)
        await _time_passes(world, situation, person)
    rules = {name: [person] if name.startswith("denied") else n for name, n in ANTIFRAUD[situation.antifraud].items()}
    variant = tariff | {"promocode_series_id": "s", "budget": situation.budget}
    await world.configured(MAAS_TARIFFS=[variant], MAAS_ANTIFRAUD=rules)
    return person


async def _bought(world: Any, person: str, phone: str, tariff: Any, moves: list[str] | None) -> None:
    await world.registered(person, phone)
    if moves is None:
        return
    sale = {"pass_id": f"{person}-old", "maas_user_id": person, "tariff": tariff}
    assert (await world.partner("subscription/reserve", sale)).status == 200
    for move in moves:
        assert (await world.partner(f"subscription/{move}", {"pass_id": sale["pass_id"]})).status == 200


async def _time_passes(world: Any, situation: Situation, person: str) -> None:
    ended = {"overdue": "reserved_until", "expired": "expiration_datetime"}.get(situation.past)
    if ended is None:
        return
    changed = f"UPDATE subscriptions.subscriptions SET {ended} = now() WHERE maas_user_id = %(person)s"
    await world.execute(changed, person=person)
    if situation.is_settled:
        await world.runs("maas.subscriptions.settle")
