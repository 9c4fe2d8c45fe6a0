"""A service between two gates, one to its database and one from its callers; and bad weather on both."""

import asyncio
import contextlib
import random
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from chaos import framing
from chaos.gate import Gate
from chaos.stage import Stage
from chaos.trial import Trial
from local_stack import Stack
from testkit.waiting import until

_WAYS: tuple[framing.Way, ...] = ("to_server", "to_client")

type_of_fault = Callable[["Gated", random.Random], Awaitable[None]]


@dataclass(frozen=True)
class Gated:
    """A stage whose service asks its database through `database`, and is asked by its edges and by us through `api`."""

    stage: Stage
    trial: Trial
    database: Gate
    api: Gate

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, stack: Stack, trial: Trial) -> AsyncIterator["Gated"]:
        """Starts the services of a trial again so that they use the gates; in the end as they were."""
        usual = {service: dict(stack.environment[service]) for service in trial.services}
        dsn = usual[trial.service][trial.dsn_setting]
        database = urllib.parse.urlsplit(dsn)
        api = urllib.parse.urlsplit(stack.description["services"][trial.service]["api"])
        async with (
            Stage.opened(stack) as stage,
            Gate("127.0.0.1", database.port or 0) as to_database,
            Gate("127.0.0.1", api.port or 0) as to_api,
        ):
            gated = {service: {setting: f"http://127.0.0.1:{to_api.port}"} for service, setting in trial.edges.items()}
            gated[trial.service] = {trial.dsn_setting: dsn.replace(f":{database.port}/", f":{to_database.port}/")}
            try:
                await _restart(stack, gated)
                yield cls(stage, trial, to_database, to_api)
            finally:
                to_database.let_through()
                to_api.let_through()
                for service in usual:
                    stack.environment[service] = usual[service]
                await _restart(stack, {service: {} for service in usual})

    @property
    def url(self) -> str:
        """The address of the service as its callers have it."""
        return f"http://127.0.0.1:{self.api.port}"

    async def clear_up(self) -> None:
        """Ends every fault; returns when callers are answered again."""
        self.database.let_through()
        self.api.let_through()
        await until(lambda: self.trial.is_served(self.stage), timeout_s=30, period_s=0.1)


async def _restart(stack: Stack, environments: dict[str, dict[str, str]]) -> None:
    await asyncio.gather(*(asyncio.to_thread(stack.restart, service, env=env) for service, env in environments.items()))


class Weather:
    """One fault after the other, chosen by `chance`, until it is told to end; `met` names them."""

    def __init__(self, gated: Gated, chance: random.Random, more: Mapping[str, type_of_fault] | None = None) -> None:
        """`more` are faults beside those of the gates and the kills."""
        parts = (*gated.trial.services, "rabbitmq")
        self._faults = ON_GATES | {f"{part} killed": _killing(part) for part in parts} | dict(more or {})
        self._gated = gated
        self._chance = chance
        self.met: list[str] = []

    async def rage(self) -> None:
        """Never returns; cancel it. A part is killed once at the most: what dies often is started ever later."""
        while True:
            dead = {met for met in self.met if met.endswith("killed")}
            name = self._chance.choice(sorted(self._faults.keys() - dead))
            self.met.append(name)
            await self._faults[name](self._gated, self._chance)
            await asyncio.sleep(self._chance.uniform(0.1, 0.5))


async def _pass(gate: Gate, chance: random.Random, longest_s: float) -> None:
    await asyncio.sleep(chance.uniform(longest_s / 4, longest_s))
    gate.let_through()


def _on_gate(name: str, strike: Callable[[Gate, random.Random], None], longest_s: float) -> type_of_fault:
    async def fault(gated: Gated, chance: random.Random) -> None:
        gate: Gate = getattr(gated, name)
        strike(gate, chance)
        await _pass(gate, chance, longest_s)

    return fault


def _killing(part: str) -> type_of_fault:
    async def fault(gated: Gated, chance: random.Random) -> None:
        await asyncio.to_thread(gated.stage.stack.kill, part)

    return fault


def _cut_at_message(gate: Gate, chance: random.Random, splitter: framing.MakeSplitter, most: int) -> None:
    gate.cut_at_message(chance.randint(1, most), splitter, chance.choice(_WAYS))


ON_GATES: dict[str, type_of_fault] = {
    "database reset": _on_gate("database", lambda gate, chance: gate.reset(), 0.1),
    "database refuses": _on_gate("database", lambda gate, chance: gate.refuse(), 0.8),
    "database swallows": _on_gate("database", lambda gate, chance: gate.drop(), 0.8),
    "database late": _on_gate("database", lambda gate, chance: gate.delay(0.05, 0.1), 1.5),
    "database cut at a message": _on_gate(
        "database", lambda gate, chance: _cut_at_message(gate, chance, framing.Postgres, 12), 0.6
    ),
    "api reset": _on_gate("api", lambda gate, chance: gate.reset(), 0.1),
    "api refuses": _on_gate("api", lambda gate, chance: gate.refuse(), 0.5),
    "api swallows": _on_gate("api", lambda gate, chance: gate.drop(), 0.8),
    "api stops reading": _on_gate("api", lambda gate, chance: gate.stop_reading(), 0.8),
    "api late": _on_gate("api", lambda gate, chance: gate.delay(0.05, 0.3), 1.5),
    "api cut in an answer": _on_gate("api", lambda gate, chance: gate.cut_after(chance.randint(0, 400)), 0.6),
    "api cut at a message": _on_gate("api", lambda gate, chance: _cut_at_message(gate, chance, framing.Http, 3), 0.6),
}
