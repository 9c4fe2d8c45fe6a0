"""What a flow works with: the public APIs, the ledgers of the services, and a memory of what it was promised."""

import asyncio
import contextlib
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from journeys.world import Answer, World
from kit import pg, stq
from local_stack import Stack
from testkit.waiting import until

HOLD = "held"
_MOVES = frozenset({"/subscription/reserve", "/subscription/activate", "/subscription/cancel"})


@dataclass
class Witness(World):
    """A world that remembers what it was promised by a 200.

    `promised` has the state of each subscription as the last answer to a move of it said, `accepted` the sequence
    number of each command by its order and id.
    """

    promised: dict[str, str] = field(default_factory=dict)
    accepted: dict[tuple[str, str], int] = field(default_factory=dict)

    async def partner(
        self, method: str, path: str, body: Any = None, *, key: str | None = "vtb", patient: bool = True
    ) -> Answer:
        """A call of the bank, remembered when it was promised something."""
        answer = await super().partner(method, path, body, key=key, patient=patient)
        if path in _MOVES and answer.status == 200:
            self.promised[answer.body["pass_id"]] = answer.body["status"]
        return answer


@dataclass(frozen=True)
class Stage:
    """A stack of our own, its world, and a superuser's way into its databases."""

    stack: Stack
    world: Witness
    databases: Mapping[str, pg.Database]
    broker: stq.Broker

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, stack: Stack) -> AsyncIterator["Stage"]:
        """The stage of a running stack; what was told on it is shown when something fails."""
        told: list[str] = []
        async with contextlib.AsyncExitStack() as closing:
            world = await closing.enter_async_context(Witness.opened(stack.description, told.append))
            assert isinstance(world, Witness)
            databases = {}
            for name, dsn in stack.description["databases"].items():
                databases[name] = await pg.Database.open(dsn, name="chaos", size=2)
                closing.push_async_callback(databases[name].close)
            broker = stq.Broker(stack.description["rabbitmq"], "chaos")
            await broker.start()
            closing.push_async_callback(broker.close)
            try:
                yield cls(stack, world, databases, broker)
            except BaseException:
                print("\n".join(told[-60:]))
                raise

    async def run_due(self, service: str, task: str) -> None:
        """Has a periodic task run once, as its next tick would; returns when it is done."""
        task_id = f"due-{secrets.token_hex(4)}"
        await until(lambda: self.broker.is_connected, timeout_s=20)
        db = self.databases[service]
        await db.run(
            "INSERT INTO stq.tasks (queue, task_id) VALUES (%(task)s, %(task_id)s)", task=task, task_id=task_id
        )
        self.broker.ring(task)
        await self.done(service, task_id)

    async def done(self, service: str, task_id: str) -> None:
        """Waits until tasks of this id have come, and each is done."""
        sql = "SELECT coalesce(bool_and(state = 'done'), false) FROM stq.tasks WHERE task_id = %(task_id)s"
        db = self.databases[service]
        await until(lambda: db.one(pg.value, sql, task_id=task_id), timeout_s=45, period_s=0.05)

    async def is_quiet(self) -> bool:
        """Nothing waits or runs in any service, but what is held back on purpose."""
        return not [each for name in self.databases for each in await self.unfinished(name)]

    async def unfinished(self, service: str) -> list[str]:
        """The tasks that are not done, with what went wrong with them."""
        sql = """SELECT concat_ws(' ', queue, task_id, state, attempt, last_error) FROM stq.tasks
            WHERE state <> 'done' AND task_id NOT LIKE 'tick-%%'"""
        return await self.databases[service].all(pg.value, sql)

    async def hold_schedule(self, names: Mapping[str, str]) -> None:
        """Lets no tick of these tasks (task → service) come by itself, so that a flow reaches what is its own alone."""
        sql = """INSERT INTO stq.tasks (queue, task_id, due_at) VALUES (%(name)s, 'tick-held', now() + interval '1 day')
            ON CONFLICT DO NOTHING"""
        for name, service in names.items():
            await self.databases[service].run(sql, name=name)

    async def release_schedule(self) -> None:
        """Takes `hold_schedule` back."""
        for db in self.databases.values():
            await db.run("DELETE FROM stq.tasks WHERE task_id = 'tick-held'")

    async def skip_leases(self, service: str) -> float:
        """Ends the leases of everything that runs; the seconds that they had left, at the most."""
        sql = """WITH cut AS (UPDATE stq.tasks AS t SET lease_until = now() FROM stq.tasks AS before
            WHERE t.id = before.id AND t.state = 'running' RETURNING before.lease_until - now() AS left)
            SELECT coalesce(max(extract(epoch FROM "left")), 0)::float8 FROM cut"""
        left_s: float = await self.databases[service].one(pg.value, sql)
        return max(0.0, left_s)

    async def as_time(self, service: str, sql: str, **args: Any) -> None:
        """Changes rows as time does: no trigger sees it."""
        async with self.databases[service].transaction() as tx:
            await tx.run("SET LOCAL session_replication_role = replica")
            await tx.run(sql, **args)

    @contextlib.contextmanager
    def configured(self, service: str, values: Mapping[str, Any]) -> Iterator[None]:
        """The dynamic config of a service says this as well; it is read when the service starts, or a second later."""
        file = Path(self.stack.folder / f"config/{service}.yaml")
        before = file.read_text("utf-8")
        changed = yaml.safe_load(before)
        changed["configs"].update(values)
        try:
            file.write_text(yaml.safe_dump(changed, allow_unicode=True), "utf-8")
            yield
        finally:
            file.write_text(before, "utf-8")

    async def command(self, service: str, *words: str) -> None:
        """Has an operator give a command of a service; AssertionError with what was said when it fails."""
        argv = [sys.executable, "-m", service.replace("-", "_"), *words]
        env = self.stack.environment[service]
        done = await asyncio.to_thread(subprocess.run, argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
