"""What a service brings to the harness, which knows none by itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.stage import Stage

type_of_flow = Callable[[Stage], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Flow:
    """What is played, and what the dynamic config of the service says meanwhile."""

    play: type_of_flow
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One service before the harness.

    `edges` maps services that stand before it, and fall with it, to the setting that says where it is. `ticks` has the
    flows by which a periodic task finds something to do, `unreached` boundaries (as patterns) that no flow comes to,
    with the reason. `broken` answers what does not hold though it must, `is_served` whether callers are answered again.
    One trial `tries_the_queue`: it is killed at the boundaries of the task queue too. `is_in_the_world` when the world
    around it knows what it keeps: then neither is forgotten without the other.
    """

    service: str
    edges: Mapping[str, str] = field(default_factory=dict)
    flows: Mapping[str, Flow]
    ticks: Mapping[str, type_of_flow]
    unreached: Mapping[str, str] = field(default_factory=dict)
    broken: Callable[[Stage], Awaitable[list[str]]]
    is_served: Callable[[Stage], Awaitable[bool]]
    schemas: tuple[str, ...]
    tries_the_queue: bool = False
    is_in_the_world: bool = False

    @property
    def services(self) -> tuple[str, ...]:
        """Whoever is armed, killed and run from a copy."""
        return (self.service, *self.edges)

    @property
    def dsn_setting(self) -> str:
        """The setting that says where its database is."""
        return f"{self.service.replace('-', '_').upper()}_DATABASE_DSN"

    def of_schedule(self, service: str, task: str) -> Flow:
        """The flow of a periodic task: its tick comes."""

        async def tick(stage: Stage) -> None:
            if (prepare := self.ticks.get(task)) is not None:
                await prepare(stage)
            await stage.run_due(service, task)

        return Flow(tick)
