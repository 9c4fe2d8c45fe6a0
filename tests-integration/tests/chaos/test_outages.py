"""A server away for a while: what goes on, what is refused, and how soon it is whole again."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from journeys import metro_subscription
from journeys.world import World
from local_stack import Stack
from testkit.waiting import until

HEALED_WITHIN_S = 3.0


async def _status(url: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return response.status


async def test_plays_the_whole_journey_without_the_broker(own_stack: Stack, told: Callable[[str], None]) -> None:
    async with World.opened(own_stack.description, told) as world:
        await asyncio.to_thread(own_stack.stop_part, "rabbitmq")
        try:
            assert await _status(world.url("maas", "monitor") + "/ready") == 200
            await metro_subscription.play(world)
        finally:
            await asyncio.to_thread(own_stack.start_part, "rabbitmq")
        await until(lambda: world.is_ringing("maas"), timeout_s=30)


async def test_refuses_without_the_database_and_is_whole_soon_after(
    own_stack: Stack, told: Callable[[str], None]
) -> None:
    stack: dict[str, Any] = own_stack.description
    sale = {"pass_id": "pass-of-nobody", "maas_user_id": "nobody", "tariff": metro_subscription.TARIFF}
    async with World.opened(stack, told) as world:
        await asyncio.to_thread(own_stack.stop_part, "postgres")
        try:
            assert await _status(stack["services"]["maas"]["monitor"] + "/ready") == 503
            assert await _status(stack["services"]["maas-authproxy"]["monitor"] + "/ready") == 200
            refused = await world.partner("POST", "/subscription/reserve", sale, patient=False)
            where = "/nearest-metro?lat_a=55.733969&lon_a=37.587093"
            stations = await world.partner("GET", where, patient=False)
        finally:
            await asyncio.to_thread(own_stack.start_part, "postgres")
        back = time.monotonic()
        await until(lambda: _is_served(world, sale), timeout_s=HEALED_WITHIN_S)
        told(f"whole again after {time.monotonic() - back:.2f} s")
    assert (refused.status, set(refused.body)) == (503, {"code", "message"})
    # Stations live in memory: who asks for them does not notice.
    assert stations.status == 200


async def _is_served(world: World, sale: dict[str, Any]) -> bool:
    answer = await world.partner("POST", "/subscription/reserve", sale, patient=False)
    return (answer.status, answer.code) == (404, "maas_user_not_found")
