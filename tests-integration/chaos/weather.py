"""maas between two gates, one to its database and one from its callers; and bad weather on both."""

import asyncio
import contextlib
import random
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from chaos import framing
from chaos.gate import Gate
from chaos.stage import Stage
from local_stack import Stack
from testkit.waiting import until

_DATABASE, _UPSTREAM = "MAAS_DATABASE_DSN", "MAAS_AUTHPROXY_MAAS_URL"
_WAYS: tuple[framing.Way, ...] = ("to_server", "to_client")

type_of_fault = Callable[["Gated", random.Random], Awaitable[None]]


@dataclass(frozen=True)
class Gated:
    """A stage whose maas asks its database through `database`, and is asked by the edge and by us through `api`."""

    stage: Stage
    database: Gate
    api: Gate

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, stack: Stack) -> AsyncIterator["Gated"]:
        """Starts maas and the edge again so that they use the gates; in the end as they were."""
        usual = {service: dict(stack.environment[service]) for service in ("maas", "maas-authproxy")}
        database = urllib.parse.urlsplit(usual["maas"][_DATABASE])
        api = urllib.parse.urlsplit(usual["maas-authproxy"][_UPSTREAM])
        async with (
            Stage.opened(stack) as stage,
            Gate("127.0.0.1", database.port or 0) as to_database,
            Gate("127.0.0.1", api.port or 0) as to_api,
        ):
            gated = {
                "maas": {_DATABASE: usual["maas"][_DATABASE].replace(f":{database.port}/", f":{to_database.port}/")},
                "maas-authproxy": {_UPSTREAM: f"http://127.0.0.1:{to_api.port}"},
            }
            try:
                await _restart(stack, gated)
                yield cls(stage, to_database, to_api)
            finally:
                to_database.let_through()
                to_api.let_through()
                for service in usual:
                    stack.environment[service] = usual[service]
                await _restart(stack, {service: {} for service in usual})

    @property
    def maas(self) -> str:
        """The address of maas as its callers have it."""
        return f"http://127.0.0.1:{self.api.port}"

    async def clear_up(self) -> None:
        """Ends every fault; returns when the bank and order processing are served again."""
        self.database.let_through()
        self.api.let_through()
        await until(self._is_served, timeout_s=30, period_s=0.1)

    async def _is_served(self) -> bool:
        answer = await self.stage.world.partner("GET", "/subscription/status?pass_id=nobodys", patient=False)
        return answer.status == 404


async def _restart(stack: Stack, environments: dict[str, dict[str, str]]) -> None:
    await asyncio.gather(*(asyncio.to_thread(stack.restart, service, env=env) for service, env in environments.items()))


class Weather:
    """One fault after the other, chosen by `chance`, until it is told to end; `met` names them."""

    def __init__(self, gated: Gated, chance: random.Random) -> None:
        self._gated = gated
        self._chance = chance
        self.met: list[str] = []

    async def rage(self) -> None:
        """Never returns; cancel it. A part is killed once at the most: what dies often is started ever later."""
        while True:
            name = self._chance.choice(sorted(FAULTS.keys() - {met for met in self.met if met.endswith("killed")}))
            self.met.append(name)
            await FAULTS[name](self._gated, self._chance)
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


FAULTS: dict[str, type_of_fault] = {
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
    "maas killed": _killing("maas"),
    "maas-authproxy killed": _killing("maas-authproxy"),
    "rabbitmq killed": _killing("rabbitmq"),
}
