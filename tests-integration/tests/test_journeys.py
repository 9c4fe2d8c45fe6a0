"""Every journey, against live processes, and what its logs must not hold."""

from collections.abc import Callable
from typing import Any

import pytest

from journeys import JOURNEYS
from journeys.world import World
from kit import pg
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
    assert {"maas.log", "maas-authproxy.log", "music.log"} <= {name for name, text in logs.items() if text}
    found = [(name, secret) for name, text in logs.items() for secret in secrets if secret in text]
    assert found == []


async def test_keeps_refused_rows_out_of_the_database_log(own_stack: Stack) -> None:
    db = await pg.Database.open(own_stack.description["databases"]["maas"], name="refused", size=1)
    try:
        with pytest.raises(pg.CheckViolation):
            await db.run(
                """INSERT INTO users.users (personal_phone_id, yandex_uid) VALUES (%(secret)s, '4001')""",
                secret="a-row-that-is-refused",
            )
    finally:
        await db.close()
    log = own_stack.log("postgres").read_text("utf-8")
    assert "users_uid_has_kind" in log
    assert "a-row-that-is-refused" not in log
