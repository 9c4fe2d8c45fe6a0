"""What a sale is held against besides its conditions: budget, antifraud and token (MX-17, MX-21, MA-45 a, c, e)."""

import asyncio
import collections
from typing import Any

import pytest

from kit import metrics, pg
from maas.subscriptions import queries, schemas
from maas.tokens import actions as tokens
from testkit.waiting import until

IS_AWAITED = """
SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
               WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted)
"""


async def _limited(world: Any, budget: int | None) -> None:
    await world.configured(MAAS_TARIFFS=[world.tariff | {"promocode_series_id": "maas-10", "budget": budget}])


async def _reserve(world: Any, number: int) -> Any:
    return await world.partner("subscription/reserve", world.sale(f"pass-{number}", f"user-{number}"))


async def _people(world: Any, count: int) -> None:
    for number in range(count):
        await world.registered(f"user-{number}", f"+7916{number:07}")


async def test_sells_exactly_the_budget_to_64_at_once(world: Any) -> None:
    await _limited(world, 5)
    await _people(world, 64)
    answers = await asyncio.gather(*(_reserve(world, number) for number in range(64)))
    outcomes = collections.Counter((answer.status, answer.code) for answer in answers)
    assert outcomes == {(200, None): 5, (409, "budget_exhausted"): 59}
    assert await queries.count_sold(world.maas.context.db, ["metro-taxi-10"]) == {"metro-taxi-10": 5}


async def test_waits_for_a_sale_that_may_take_the_last_one(world: Any) -> None:
    await _limited(world, 1)
    await _people(world, 2)
    db, sale = world.maas.context.db, schemas.SALE.load(world.sale("pass-0", "user-0"))
    async with db.transaction() as tx:
        await queries.lock_budget(tx, "metro-taxi-10")
        await queries.insert(tx, sale, yandex_uid=None, promocode_series_id="maas-10", ttl_s=600)
        other = asyncio.create_task(_reserve(world, 1))
        await until(lambda: tx.one(pg.value, IS_AWAITED))
    assert (await other).code == "budget_exhausted"


@pytest.mark.parametrize(
    ("moves", "span", "is_given_back"),
    [
        ([], {}, False),
        ([], {"minutes": 31}, True),
        (["cancel"], {}, True),
        (["activate"], {}, False),
        (["activate"], {"days": 31}, False),
    ],
)
async def test_gives_back_what_came_to_nothing(
    world: Any, moves: list[str], span: dict[str, int], is_given_back: bool
) -> None:
    await _limited(world, 1)
    await _people(world, 2)
    await _reserve(world, 0)
    for move in moves:
        await world.partner(f"subscription/{move}", {"pass_id": "pass-0"})
    await world.pass_time(**span)
    answer = await _reserve(world, 1)
    assert (answer.status, answer.code) == ((200, None) if is_given_back else (409, "budget_exhausted"))


async def test_answers_a_repeat_though_nothing_is_left(world: Any) -> None:
    await _limited(world, 1)
    await _people(world, 1)
    first = await _reserve(world, 0)
    await _limited(world, 0)
    assert (await _reserve(world, 0)).body == first.body
    answers = await asyncio.gather(*(_reserve(world, 0) for _ in range(16)))
    assert {answer.status for answer in answers} == {200}


async def test_honours_a_late_payment_beyond_the_budget(world: Any) -> None:
    await _limited(world, 1)
    await _people(world, 3)
    await _reserve(world, 0)
    await world.pass_time(minutes=31)
    await _reserve(world, 1)
    assert (await world.partner("subscription/activate", {"pass_id": "pass-0"})).status == 200
    assert (await _reserve(world, 2)).code == "budget_exhausted"


async def test_tells_support_of_a_payment_in_vain(world: Any) -> None:
    counted = metrics.value("maas_paid_but_refused_total")
    await _people(world, 1)
    await _reserve(world, 0)
    await world.pass_time(minutes=31)
    await world.partner("subscription/reserve", world.sale("pass-1", "user-0"))
    for _ in range(2):
        refused = await world.partner("subscription/activate", {"pass_id": "pass-0"})
        assert (refused.status, refused.code) == (409, "active_subscription_exists")
    assert metrics.value("maas_paid_but_refused_total") == counted + 1
    await world.partner("subscription/cancel", {"pass_id": "pass-1"})
    assert (await world.partner("subscription/activate", {"pass_id": "pass-0"})).status == 200
    row = await world.maas.context.db.one(dict, "SELECT count(paid_refused_at) AS n FROM subscriptions.subscriptions")
    assert row == {"n": 0}


async def test_sells_nothing_to_whom_antifraud_refuses(world: Any) -> None:
    await _people(world, 2)
    await world.configured(MAAS_ANTIFRAUD={"denied_maas_user_ids": ["user-0"], "reservations_per_day": 2})
    answer = await _reserve(world, 0)
    assert (answer.status, answer.code, "details" in answer.body) == (403, "antifraud_refused", False)
    for pass_id in ("first", "second", "third"):
        answer = await world.partner("subscription/reserve", world.sale(pass_id, "user-1"))
        await world.partner("subscription/cancel", {"pass_id": pass_id})
    assert (answer.status, answer.code) == (403, "antifraud_refused")
    await world.pass_time(days=1, minutes=1)
    assert (await world.partner("subscription/reserve", world.sale("fourth", "user-1"))).status == 200


async def _token(world: Any, maas_user_id: str = "user-0", tariff_id: str = "metro-taxi-10", ttl_s: int = 600) -> str:
    issued = await tokens.issue(
        db=world.maas.context.db,
        salt=world.maas.context.config.token_salt,
        yandex_uid="4001",
        maas_user_id=maas_user_id,
        tariff_id=tariff_id,
        ttl_s=ttl_s,
    )
    return issued.token


async def _buy(world: Any, token: str, pass_id: str = "pass-0", maas_user_id: str = "user-0") -> Any:
    return await world.partner("subscription/reserve", world.sale(pass_id, maas_user_id) | {"user_token": token})


async def test_spends_a_token_once_and_answers_its_repeats(world: Any) -> None:
    await _people(world, 1)
    token = await _token(world)
    answers = await asyncio.gather(*(_buy(world, token) for _ in range(32)))
    assert {(answer.status, str(answer.body)) for answer in answers} == {(200, str(answers[0].body))}
    await world.partner("subscription/cancel", {"pass_id": "pass-0"})
    again = await _buy(world, token, "pass-1")
    assert (again.status, again.code) == (403, "user_token_mismatch")


async def test_sells_one_of_many_passes_of_one_token(world: Any) -> None:
    await _people(world, 1)
    token = await _token(world)
    answers = await asyncio.gather(*(_buy(world, token, f"pass-{number}") for number in range(16)))
    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.code for answer in answers} <= {None, "user_token_mismatch", "active_subscription_exists"}


async def test_refuses_a_token_of_another_purchase(world: Any) -> None:
    await _people(world, 2)
    tokens_of_others = {
        "person": await _token(world, maas_user_id="user-1"),
        "tariff": await _token(world, tariff_id="metro-taxi-20"),
        "expired": await _token(world, ttl_s=0),
        "unknown": "x" * 43,
    }
    for wrong, token in tokens_of_others.items():
        answer = await _buy(world, token)
        assert (answer.status, answer.code) == (403, "user_token_mismatch"), wrong
    assert (await world.partner("subscription/info", {"pass_id": "pass-0"})).status == 404


async def test_knows_a_repeat_with_another_token(world: Any) -> None:
    await _people(world, 1)
    await _buy(world, await _token(world))
    answer = await _buy(world, await _token(world))
    assert (answer.status, answer.code) == (409, "pass_id_conflict")


async def test_keeps_a_token_for_a_sale_that_came_to_nothing(world: Any) -> None:
    await _limited(world, 0)
    await _people(world, 1)
    token = await _token(world)
    assert (await _buy(world, token)).code == "budget_exhausted"
    await _limited(world, 1)
    assert (await _buy(world, token)).status == 200


def test_shows_no_token_of_a_sale() -> None:
    sale = {"pass_id": "p", "maas_user_id": "u", "user_token": "a-secret-token"}
    tariff = {"tariff_id": "t", "price": {"amount": "1", "currency": "RUB"}, "taxi_rides": 1, "duration_days": 1}
    assert "a-secret-token" not in repr(schemas.SALE.load(sale | {"tariff": tariff}))
