"""A revoked subscription's code ends at coupons, and ours are told from others' (MA-98, MA-99)."""

from typing import Any

import pytest

from maas.promocodes import actions
from maas.promocodes.model import PromocodeNotDue
from maas.support import actions as support
from testkit import neighbours as mocks


async def _revoke(world: Any) -> None:
    ctx = world.maas.context
    await support.revoke(db=ctx.db, queue=ctx.queue, pass_id="pass-1", reason="asked by the person")


def _ends_codes(world: Any) -> mocks.Mock:
    mock: mocks.Mock = world.neighbours.coupons.on("POST", "/internal/deactivate", answer={"status": "deactivated"})
    return mock


async def _bound(world: Any) -> None:
    await world.activated()
    await world.execute("UPDATE subscriptions.subscriptions SET yandex_uid = '4001', promocode_status = 'pending'")


async def test_ends_the_code_of_a_revoked_subscription(world: Any) -> None:
    promocode = await world.with_promocode()
    ended = _ends_codes(world)
    await _revoke(world)
    assert (await world.info())["promocode_status"] == "issued"
    assert await world.maas.run_task("maas.promocode.revoke") == ["done"]
    info = await world.info()
    assert (info["status"], info["cancel_reason"]) == ("canceled", "revoked_by_support")
    assert info["promocode_status"] == "revoked"
    assert [call.json for call in ended.calls] == [{"promocode": promocode, "token": "pass-1"}]
    await _revoke(world)
    assert await world.maas.run_task("maas.promocode.revoke") == []


async def test_asks_again_when_coupons_fails(world: Any) -> None:
    await world.with_promocode()
    await _revoke(world)
    world.neighbours.coupons.on("POST", "/internal/deactivate", answer={"code": "oops", "message": ""}, status=500)
    assert await world.maas.run_task("maas.promocode.revoke") == ["retry"]
    _ends_codes(world)
    await world.execute("UPDATE stq.tasks SET due_at = now()")
    assert await world.maas.run_task("maas.promocode.revoke") == ["done"]
    assert (await world.info())["promocode_status"] == "revoked"


async def test_ends_a_code_that_coupons_alone_may_know(world: Any) -> None:
    await _bound(world)
    ended = _ends_codes(world)
    await _revoke(world)
    assert await world.maas.run_task("maas.promocode.revoke") == ["done"]
    assert ended.calls[0].json["promocode"] == "METRO-PASS-1"
    assert (await world.info())["promocode_status"] == "revoked"


async def test_keeps_no_code_that_comes_after_the_revocation(world: Any) -> None:
    await _bound(world)
    ctx, ended = world.maas.context, _ends_codes(world)

    async def generated(call: mocks.Call) -> Any:
        await _revoke(world)
        return {"promocode": "METRO-PASS-1", "series_id": "maas-10"}

    world.neighbours.coupons.on("POST", "/internal/generate", answer=generated, times=1)
    async with ctx.db.transaction() as tx:
        await ctx.queue.enqueue(tx, "maas.promocode.issue", task_id="pass-1", kwargs={"pass_id": "pass-1"})
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]
    assert (await world.info())["promocode_status"] == "pending"
    assert await world.maas.run_task("maas.promocode.revoke") == ["done"]
    assert len(ended.calls) == 1
    assert (await world.info())["promocode_status"] == "revoked"


async def test_orders_no_end_of_a_code_that_never_was(world: Any) -> None:
    await world.activated()
    await _revoke(world)
    assert await world.maas.run_task("maas.promocode.revoke") == []


async def test_waits_a_day_from_the_order_of_a_code_not_from_the_payment(world: Any) -> None:
    await world.activated()
    await world.pass_time(days=3)
    await world.execute("UPDATE subscriptions.subscriptions SET yandex_uid = '4001', promocode_status = 'pending'")
    assert await world.runs("maas.promocodes.reconcile") == ["done"]
    assert (await world.info())["promocode_status"] == "pending"
    await world.pass_time(hours=25)
    assert await world.runs("maas.promocodes.reconcile") == ["done"]
    assert (await world.info())["promocode_status"] == "failed"


async def test_reissues_what_was_given_up(world: Any) -> None:
    await _bound(world)
    await world.execute("UPDATE subscriptions.subscriptions SET promocode_status = 'failed'")
    await world.pass_time(days=2)
    ctx = world.maas.context
    await actions.reissue(db=ctx.db, queue=ctx.queue, pass_id="pass-1")
    assert await world.runs("maas.promocodes.reconcile") == ["done"]
    assert (await world.info())["promocode_status"] == "pending"
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]
    assert (await actions.reissue(db=ctx.db, queue=ctx.queue, pass_id="pass-1")).promocode == "METRO-PASS-1"
    assert await world.maas.run_task("maas.promocode.issue") == []


async def test_reissues_nothing_where_no_code_is_due(world: Any) -> None:
    await world.activated()
    ctx = world.maas.context
    with pytest.raises(PromocodeNotDue):
        await actions.reissue(db=ctx.db, queue=ctx.queue, pass_id="pass-1")


async def _ours(world: Any, codes: list[Any], caller: str = "coupons") -> Any:
    return await world.maas.ask(caller, "POST", "/maas/v1/promocodes/filter", {"promocodes": codes})


async def test_tells_our_codes_from_others(world: Any) -> None:
    promocode = await world.with_promocode()
    answer = await _ours(world, ["FRIEND", promocode, "скидка", promocode, "метро"])
    assert (answer.status, answer.body) == (200, {"ours": [promocode]})
    assert (await _ours(world, [])).body == {"ours": []}
    assert (await _ours(world, ["CODE"] * 500)).body == {"ours": []}


async def test_takes_500_codes_of_coupons_alone(world: Any) -> None:
    assert (await _ours(world, ["CODE"] * 501)).status == 400
    assert (await _ours(world, ["x" * 65])).status == 400
    assert (await _ours(world, ["CODE"], "maas-authproxy")).code == "caller_not_allowed"
