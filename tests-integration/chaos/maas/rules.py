"""Short checks of the rules of sales and rides; like `checks`, each must fail when its fault is planted."""

import asyncio
import random
import secrets
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from chaos.maas.asking import SMALL, SMALL_TARIFF, Subject, ask_maas, sale, tariffs
from chaos.maas.histories import Recorder
from chaos.maas.person import Action
from chaos.recording import DID_NOT_HAPPEN
from chaos.weather import Gated
from testkit.waiting import until

_AT_ONCE = 8
# A lock is waited for a second: so many trips of so many buyers have to fit in.
_BUYERS = 4
_TRIP_S = 0.02
T = TypeVar("T")


async def one_live_subscription(gated: Gated) -> None:
    """Of many reservations for one person at once exactly one is made (MA-42)."""
    subject = await _recorder(gated).new_subject()
    sales = [sale(subject, f"pass-{secrets.token_hex(6)}") for _ in range(_AT_ONCE)]
    answers = await _at_once(gated, [ask_maas(gated, "/subscription/reserve", each) for each in sales])
    assert sorted(answer.status for answer in answers) == [200] + [409] * (_AT_ONCE - 1)


async def no_more_than_the_budget(gated: Gated) -> None:
    """Of several people at once as many get a tariff as its budget has (MA-45 a)."""
    rare = SMALL_TARIFF | {"tariff_id": f"rare-{secrets.token_hex(4)}", "budget": 1}
    with tariffs(gated.stage.stack, rare):
        asked = {"tariffs": [{name: rare[name] for name in ("tariff_id", "price", "taxi_rides", "duration_days")}]}
        subjects = [await _recorder(gated).new_subject() for _ in range(_BUYERS)]
        await until(lambda: _is_on_sale(gated, asked), timeout_s=5, period_s=0.1)
        sales = [sale(each, f"pass-{secrets.token_hex(6)}") | {"tariff": asked["tariffs"][0]} for each in subjects]
        answers = await _at_once(gated, [ask_maas(gated, "/subscription/reserve", each) for each in sales])
    assert sorted(answer.status for answer in answers) == [200] + [409] * (_BUYERS - 1)


async def _is_on_sale(gated: Gated, asked: Any) -> bool:
    answer = await ask_maas(gated, "/available-tariffs", asked)
    return answer.status == 200 and bool(answer.body["tariffs"][0]["available"])


async def rides_within_the_tariff(gated: Gated) -> None:
    """Of many holds at once there are as many as rides were bought (MX-14)."""
    recorder = _recorder(gated)
    subject, pass_id = await recorder.new_owner()
    holds = [Action("hold", pass_id, order_id=f"order-{secrets.token_hex(6)}") for _ in range(_AT_ONCE)]
    said = await _at_once(gated, [recorder.do(subject, hold) for hold in holds])
    assert sorted(str(each and each[0]) for each in said) == ["ok"] * 2 + ["refused"] * (_AT_ONCE - 2)


async def answers_in_order(gated: Gated) -> None:
    """A life with every move and every refusal is answered as the model says."""
    recorder = _recorder(gated)
    subject, pass_id = await recorder.new_owner()
    order, other, late = (f"order-{secrets.token_hex(6)}" for _ in range(3))
    await _plays(
        recorder,
        subject,
        Action("cancel", pass_id),
        Action("start", tariff=SMALL),
        Action("hold", pass_id, order_id=order),
        Action("hold", pass_id, order_id=order),
        Action("complete", order_id=order),
        Action("release", order_id=order),
        Action("hold", pass_id, order_id=other),
        Action("info", pass_id),
        Action("complete", order_id=other, keeps_rules=False),
        Action("hold", pass_id, order_id=other),
        Action("expire", pass_id),
        Action("hold", pass_id, order_id=late),
        Action("activate", pass_id),
        Action("cancel", pass_id),
    )
    first, second, third, fourth = (f"pass-{secrets.token_hex(6)}" for _ in range(4))
    await _plays(
        recorder,
        subject,
        Action("reserve", first, SMALL),
        Action("reserve", first, SMALL),
        *[Action("extend", first)] * 4,
        Action("cancel", first),
        Action("activate", first),
        Action("reserve", first, SMALL),
        Action("reserve", second, SMALL),
        Action("reserve", third, SMALL),
        Action("lapse", second),
        Action("reserve", third, SMALL),
        Action("activate", second),
        Action("lapse", third),
        Action("reserve", fourth, SMALL),
        Action("cancel", third),
        Action("cancel", fourth),
        Action("activate", third),
        Action("activate", second),
        Action("latest"),
    )


async def token_buys_once(gated: Gated) -> None:
    """A purchase token pays for one pass, of its tariff, which may be asked for again (MA-45 e, MA-58)."""
    recorder = _recorder(gated)
    subject = await recorder.new_subject()
    await _plays(recorder, subject, Action("start", tariff=SMALL))
    (token,) = subject.tokens
    first, second = (f"pass-{secrets.token_hex(6)}" for _ in range(2))
    await _plays(
        recorder,
        subject,
        Action("reserve", first, "metro-taxi-10", token=token),
        Action("reserve", first, SMALL, token=token),
        Action("reserve", first, SMALL, token=token),
        Action("cancel", first),
        Action("reserve", second, SMALL, token=token),
        Action("latest"),
    )


async def _plays(recorder: Recorder, subject: Subject, *actions: Action) -> None:
    for action in actions:
        assert await recorder.do(subject, action) not in (None, DID_NOT_HAPPEN), f"no answer to {action}"
    wrong = subject.verdict()
    assert wrong is None, str(wrong)


async def _at_once(gated: Gated, calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Calls in step with each other: every trip to the database takes a while, so that all look before one writes."""
    gated.database.delay(_TRIP_S)
    try:
        return await asyncio.gather(*calls)
    finally:
        gated.database.let_through()


def _recorder(gated: Gated) -> Recorder:
    return Recorder(gated, random.Random())
