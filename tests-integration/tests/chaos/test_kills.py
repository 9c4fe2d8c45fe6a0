"""kill -9 in the middle of the journey: it can be finished, nothing answered 200 is lost, one promo code exists."""

import asyncio
from collections.abc import Callable

import pytest

from chaos.killing import HEALED_WITHIN_S
from chaos.maas import invariants
from chaos.stage import Stage
from journeys import metro_subscription
from journeys.world import World
from local_stack import Stack
from testkit.waiting import until


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
    async with Stage.opened(own_stack) as stage:
        # An order whose hold nobody answered for is given back by processing a moment later.
        await until(lambda: _is_whole(stage), timeout_s=HEALED_WITHIN_S)


async def _is_whole(stage: Stage) -> bool:
    wrong = [*await stage.unfinished("maas"), *await invariants.broken(stage)]
    print("\n".join(wrong))
    return not wrong
