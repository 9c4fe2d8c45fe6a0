"""Order processing in a test: what it says by HTTP or by messages, and what came of it."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from kit import pg
from testkit import service


@dataclass(slots=True)
class Processing:
    """Says what happens to orders; `by_queue` as messages, else over HTTP."""

    world: Any
    by_queue: bool = False
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def says(self, event: str, body: Any) -> service.Answer | None:
        """One event, carried out before this returns; the answer where it went over HTTP."""
        if self.by_queue:
            task = {"assigned": "music.order.driver_assigned", "finished": "music.order.finished"}[event]
            async with self.world.music.context.db.transaction() as tx:
                number = str(next(self._numbers))
                await self.world.music.context.queue.enqueue(tx, task, task_id=number, kwargs=body)
            assert await self.world.music.run_task(task) == ["done"]
            return None
        path = {"assigned": "create", "finished": "close"}[event]
        answer: service.Answer = await self.world.music.ask(
            "processing", "POST", f"/internal/music/v1/player/{path}", body
        )
        return answer

    async def assigned(
        self, event_seq: int = 1, driver: str = "driver-1", *, order_id: str = "order-1", **passenger: Any
    ) -> Any:
        """A driver got the order; the body of the answer where it went over HTTP."""
        body = self.world.assignment(order_id, event_seq, driver_profile_id=driver)
        body["passenger"] |= passenger
        return _good(await self.says("assigned", body))

    async def finished(self, event_seq: int = 3, *, order_id: str = "order-1", reason: str = "completed") -> Any:
        """The order is over."""
        return _good(await self.says("finished", {"order_id": order_id, "event_seq": event_seq, "reason": reason}))

    async def players(self, order_id: str = "order-1") -> list[tuple[str, str | None]]:
        """The drivers of the order's players, with the reason of each that is closed, in the order of their opening."""
        found = await self.world.music.context.db.all(
            dict,
            """SELECT driver_profile_id, close_reason FROM players.players WHERE order_id = %(order_id)s
               ORDER BY version""",
            order_id=order_id,
        )
        return [(row["driver_profile_id"], row["close_reason"]) for row in found]

    async def active(self, order_id: str = "order-1") -> list[str]:
        """The drivers who may play."""
        return [driver for driver, reason in await self.players(order_id) if reason is None]

    async def reason(self, order_id: str = "order-1") -> str | None:
        """Why the order has no music, as it is stored."""
        found: str | None = await self.world.music.context.db.one(
            pg.value, "SELECT not_opened_reason FROM orders.orders WHERE order_id = %(order_id)s", order_id=order_id
        )
        return found

    async def in_experiment(self, when: Any) -> None:
        """Gives music only to those whom the clause names."""
        path = self.world.music.context.config.dynamic_config
        document = yaml.safe_load(path.read_text("utf-8"))
        document["experiments"] = {"music_in_ride": [{"when": when, "value": {}}]}
        path.write_text(json.dumps(document))
        assert await self.world.music.context.dynamic.refresh()


def _good(answer: service.Answer | None) -> Any:
    if answer is None:
        return None
    assert answer.status == 200, answer
    return answer.body


@pytest.fixture
def processing(world: Any) -> Processing:
    """Order processing, over HTTP."""
    return Processing(world)


@pytest.fixture
def messages(world: Any) -> Processing:
    """Order processing, by messages."""
    return Processing(world, by_queue=True)
