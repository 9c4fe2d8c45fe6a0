"""Whatever happens on the line to RabbitMQ, callers do not notice: PostgreSQL remembers, the sweeper rings."""

import asyncio
import urllib.parse
from collections.abc import AsyncIterator, Callable

import pytest

from chaos import framing
from chaos.gate import Gate
from journeys import metro_subscription
from journeys.world import World
from local_stack import Stack
from testkit.waiting import until

RINGS_AGAIN_WITHIN_S = 30.0
ORDERS: dict[str, Callable[[Gate], None]] = {
    "refuses": lambda gate: gate.refuse(),
    "swallows": lambda gate: gate.drop(),
    "stops reading": lambda gate: gate.stop_reading(),
    "is late": lambda gate: gate.delay(0.3, 0.2),
    "is cut at a frame": lambda gate: gate.cut_at_message(3, framing.Amqp, "to_server"),
    "is corrupted": lambda gate: gate.corrupt(40, direction="to_server"),
}


@pytest.fixture
async def gate(own_stack: Stack) -> AsyncIterator[Gate]:
    """What stands between maas and RabbitMQ."""
    usual = own_stack.environment["maas"]["MAAS_RABBITMQ_URL"]
    port = urllib.parse.urlsplit(usual).port
    async with Gate("127.0.0.1", port or 0) as found:
        gated = usual.replace(f":{port}", f":{found.port}")
        await asyncio.to_thread(own_stack.restart, "maas", env={"MAAS_RABBITMQ_URL": gated})
        try:
            yield found
        finally:
            found.let_through()
            await asyncio.to_thread(own_stack.restart, "maas", env={"MAAS_RABBITMQ_URL": usual})


async def test_plays_the_journey_whatever_the_line_does(
    own_stack: Stack, gate: Gate, told: Callable[[str], None]
) -> None:
    async with World.opened(own_stack.description, told) as world:
        await until(lambda: world.is_ringing("maas"), timeout_s=RINGS_AGAIN_WITHIN_S)
        for name, strike in ORDERS.items():
            told(f"the line {name}")
            strike(gate)
            await metro_subscription.play(world)
            gate.let_through()
            gate.reset()
            await until(lambda: world.is_ringing("maas"), timeout_s=RINGS_AGAIN_WITHIN_S)
    assert gate.connections > len(ORDERS)
