"""Every journey, against live processes, and what its logs must not hold."""

from collections.abc import Callable
from typing import Any

import pytest

from journeys import JOURNEYS
from journeys.world import World
from local_stack import Stack

SHORTEST_SECRET = 8


@pytest.mark.parametrize("name", sorted(JOURNEYS))
async def test_plays(name: str, stack: dict[str, Any], told: Callable[[str], None]) -> None:
    async with World.opened(stack, told) as world:
        await JOURNEYS[name].play(world)
        assert world.steps > 0


async def test_logs_no_secret(own_stack: Stack, told: Callable[[str], None]) -> None:
    shown: list[str] = []
    async with World.opened(own_stack.description, shown.append) as world:
        for journey in JOURNEYS.values():
            await journey.play(world)
        secrets = {secret for secret in world.secrets if len(secret) >= SHORTEST_SECRET}
    logs = {path.name: path.read_text("utf-8", "replace") for path in (own_stack.folder.path / "logs").glob("*.log")}
    logs["what the journey shows"] = "\n".join(shown)
    assert len(secrets) > 10
    assert {"maas.log", "maas-authproxy.log"} <= {name for name, text in logs.items() if text}
    found = [(name, secret) for name, text in logs.items() for secret in secrets if secret in text]
    assert found == []
