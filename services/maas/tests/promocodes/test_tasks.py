"""Promo codes come once, whatever happens on the way (MA-48, MA-67, T20)."""

from typing import Any

from kit import identity

ANNA = identity.Passenger("4001", flags=frozenset({"portal"}), personal_phone_id="phone-of-anna")


async def _bound(world: Any) -> None:
    await world.activated()
    await world.execute("UPDATE users.users SET yandex_uid = '4001', uid_kind = 'portal' WHERE maas_user_id = 'user-1'")
    await world.maas.as_passenger(ANNA, "GET", "/4.0/maas/v1/subscription/info")


async def _reconcile(world: Any, name: str) -> None:
    async with world.maas.context.db.transaction() as tx:
        await world.maas.context.queue.enqueue(tx, "maas.promocodes.reconcile", task_id=name)
    assert await world.maas.run_task("maas.promocodes.reconcile") == ["done"]


async def test_issues_the_code_of_a_bound_subscription(world: Any) -> None:
    await _bound(world)
    assert (await world.info())["promocode_status"] == "pending"
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]
    assert (await world.info())["promocode_status"] == "issued"
    asked = world.neighbours.coupons.calls("POST", "/internal/generate")[0].json
    assert (asked["token"], asked["series_id"], asked["yandex_uids"], asked["rides"]) == (
        "pass-1",
        "maas-10",
        ["4001"],
        10,
    )


async def test_asks_again_when_coupons_fails(world: Any) -> None:
    await _bound(world)
    world.neighbours.coupons.reset()
    world.neighbours.coupons.on("POST", "/internal/generate", answer={"code": "oops", "message": ""}, status=500)
    assert await world.maas.run_task("maas.promocode.issue") == ["retry"]
    info = await world.info()
    assert (info["status"], info["promocode_status"]) == ("activated", "pending")


async def test_orders_a_lost_code_again_and_issues_one(world: Any) -> None:
    await _bound(world)
    await world.execute("DELETE FROM stq.tasks WHERE queue = 'maas.promocode.issue'")
    await _reconcile(world, "first")
    await _reconcile(world, "second")
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]
    await _reconcile(world, "third")
    assert await world.maas.run_task("maas.promocode.issue") == []


async def test_orders_again_what_was_given_up_by_the_queue(world: Any) -> None:
    await _bound(world)
    await world.execute("UPDATE stq.tasks SET state = 'dead', finished_at = now() WHERE queue = 'maas.promocode.issue'")
    await _reconcile(world, "first")
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]


async def test_gives_up_after_a_day_so_that_a_person_looks(world: Any) -> None:
    await _bound(world)
    await world.pass_time(hours=25)
    await _reconcile(world, "first")
    assert (await world.info())["promocode_status"] == "failed"
