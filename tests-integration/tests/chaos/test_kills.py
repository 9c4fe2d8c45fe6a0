"""kill -9 in the middle of the journey: it can be finished, nothing answered 200 is lost, one promo code exists."""

import asyncio
from collections.abc import Callable

import pytest

from journeys import metro_subscription
from journeys.world import World
from kit import pg
from local_stack import Stack

_BROKEN = {
    "two live subscriptions of one person": """
        SELECT maas_user_id FROM subscriptions.subscriptions WHERE status IN ('reserved', 'activated')
        GROUP BY maas_user_id HAVING count(*) > 1""",
    "rides beyond the tariff": """
        SELECT pass_id FROM subscriptions.subscriptions s WHERE taxi_rides <
        (SELECT count(*) FROM subscriptions.rides r WHERE r.pass_id = s.pass_id AND r.state <> 'released')""",
    "a count that is not the ledger's": """
        SELECT pass_id FROM subscriptions.subscriptions s WHERE rides_taken <>
        (SELECT count(*) FROM subscriptions.rides r WHERE r.pass_id = s.pass_id AND r.state <> 'released')""",
    "a used ride that nobody was told of": """
        SELECT order_id FROM subscriptions.rides r WHERE state = 'used' AND NOT EXISTS
        (SELECT FROM stq.tasks t WHERE t.queue = 'maas.ride.report' AND t.task_id = r.order_id)""",
    "a task that died": "SELECT queue FROM stq.tasks WHERE state = 'dead'",
}


class Killer(World):
    """A world in which a part of the stack is killed at every fourth call."""

    stack_of_parts: Stack
    victim: str
    calls: int
    kills: int

    def arm(self, stack: Stack, victim: str) -> None:
        """Begins to kill."""
        self.stack_of_parts, self.victim, self.calls, self.kills = stack, victim, 0, 0

    async def ask(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        """Asks, with the kill under way at the same time."""
        self.calls += 1
        if self.kills >= 4 or self.calls % 4 != 2:
            return await super().ask(*args, **kwargs)  # type: ignore[arg-type]
        self.kills += 1
        killing = asyncio.to_thread(self.stack_of_parts.kill, self.victim)
        answer, _ = await asyncio.gather(super().ask(*args, **kwargs), killing)  # type: ignore[arg-type]
        return answer


@pytest.mark.parametrize("victim", ["maas", "maas-authproxy", "sandbox", "postgres", "rabbitmq"])
async def test_finishes_the_journey_whoever_is_killed(
    victim: str, own_stack: Stack, told: Callable[[str], None]
) -> None:
    async with Killer.opened(own_stack.description, told) as world:
        assert isinstance(world, Killer)
        world.arm(own_stack, victim)
        await metro_subscription.play(world)
        assert world.kills >= 3
        await _no_invariant_is_broken(world)
        await _each_subscription_has_one_code(world)


async def _no_invariant_is_broken(world: World) -> None:
    db = await pg.Database.open(world.stack["databases"]["maas"], name="invariants", size=1)
    try:
        for what, sql in _BROKEN.items():
            assert await db.all(dict, sql) == [], what
    finally:
        await db.close()


_SOLD = "SELECT pass_id, promocode FROM subscriptions.subscriptions WHERE promocode IS NOT NULL"


def _pair(pass_id: str, promocode: str) -> tuple[str, str]:
    return pass_id, promocode


async def _each_subscription_has_one_code(world: World) -> None:
    db = await pg.Database.open(world.stack["databases"]["maas"], name="codes", size=1)
    try:
        sold = dict(await db.all(_pair, _SOLD))
    finally:
        await db.close()
    issued = (await world.sandbox("GET", "/coupons/_codes")).body["codes"]
    assert sold == {code["token"]: code["promocode"] for code in issued if code["token"] in sold}
    assert len({code["token"] for code in issued}) == len(issued)
