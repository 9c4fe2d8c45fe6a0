"""Tasks: RabbitMQ says that there is something to do, PostgreSQL remembers what.

    @stq.task("maas.promocode.issue", kwargs=schemas.Issue())
    async def issue_promocode(ctx: Context, claim: stq.Claim) -> None:
        "Safe to repeat: the promo code's key is the pass id."

    async with db.transaction() as tx:
        await queries.insert_subscription(tx, …)
        await queue.enqueue(tx, "maas.promocode.issue", task_id=pass_id, kwargs={"pass_id": pass_id})

A task is a row of `stq.tasks` in the database of the service that executes it, written in the transaction of the
change that causes it; a task for another service waits in `stq.outbox` until it is published. Losing the whole broker
loses no task. Each runs at least once, so each must be idempotent.
"""

from pathlib import Path

from kit import migrate
from kit.stq import commands
from kit.stq.broker import Broker
from kit.stq.execution import Outcome, run_due
from kit.stq.memory import MemoryBroker
from kit.stq.outbox import relay_due
from kit.stq.queue import Queue
from kit.stq.tasks import Claim, Every, GiveUp, LeaseLost, Task, every, task
from kit.stq.worker import Pace, Worker

STREAM = migrate.Stream("stq", Path(__file__).parent / "migrations")

__all__ = [
    "STREAM",
    "Broker",
    "Claim",
    "Every",
    "GiveUp",
    "LeaseLost",
    "MemoryBroker",
    "Outcome",
    "Pace",
    "Queue",
    "Task",
    "Worker",
    "commands",
    "every",
    "relay_due",
    "run_due",
    "task",
]
