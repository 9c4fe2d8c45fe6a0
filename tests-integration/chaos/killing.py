"""kill -9 of a service at one of its durable boundaries while a flow goes through it, and its return.

The services run as `python -m testkit.armed`, and are told by a file where to die next, so that only the victim is
started again. Flows are told apart by a recording: which of them reaches which boundary.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from chaos import failpoints, figures, victims
from chaos.plans import IN_FULL_TIME, OF_THE_CLOCK, START, NotReached, plan, targets, type_of_record
from chaos.stage import Stage
from chaos.trial import Flow, Trial
from local_stack import StackFailed
from testkit.waiting import until

HEALED_WITHIN_S = 15.0
REACHED_WITHIN_S = 25.0


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: where, while which flow was played, and how soon that flow had its outcome.

    `healed_s` counts from the victim's return, or from its last one when it was killed again before that, and has in it
    the seconds by which that kill's leases were cut short.
    """

    service: str
    name: str
    flow: str
    healed_s: float


@dataclass(frozen=True, slots=True)
class _Struck:
    service: str
    name: str
    tail: "asyncio.Task[float]"
    back_at: float
    skipped_s: float


class Killing:
    """The stage with the services of a trial armed."""

    def __init__(self, stage: Stage, trial: Trial) -> None:
        self.stage = stage
        self.trial = trial
        self.armed = {service: victims.Armed(stage.stack, service) for service in trial.services}
        self._tails: list[asyncio.Task[float]] = []
        self.schedule = {task: service for service in trial.services for task in failpoints.schedule_of(service)}
        self.flows: dict[str, Flow] = {**trial.flows} | {
            task: trial.of_schedule(service, task) for task, service in self.schedule.items()
        }

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, stage: Stage, trial: Trial) -> AsyncIterator["Killing"]:
        """Arms the services and holds their schedules; everything is as before in the end."""
        killing = cls(stage, trial)
        await _each(armed.begin for armed in killing.armed.values())
        await stage.hold_schedule(killing.schedule)
        try:
            yield killing
        finally:
            for tail in killing._tails:
                tail.cancel()
            await asyncio.gather(*killing._tails, return_exceptions=True)
            await stage.release_schedule()
            await _each(armed.end for armed in killing.armed.values())

    async def complete(self, recorded: type_of_record) -> None:
        """Adds what each flow reaches, unless it is there: each is played once, alone, and rests before the next."""
        if recorded:
            return
        with figures.timed("flows recorded") as figure:
            recorded[START] = await self._recorded(self._start_all)
            for name, flow in self.flows.items():
                async with self._configured(flow):
                    recorded[name] = await self._recorded(functools.partial(flow.play, self.stage))
            figure.count = len(recorded)

    async def kill_everywhere(self, recorded: type_of_record) -> list[Kill]:
        """Kills at each boundary of the trial, as `kill_at_each` does."""
        kills: list[Kill] = []
        with figures.timed("kill points hit") as figure:
            planned = plan(recorded, targets(self.trial))
            # What a periodic task (it has a dot in its name) goes through grows with every flow: those are first.
            for flow in sorted(planned, key=lambda name: "." not in name):
                kills += await self.kill_at_each(flow, planned[flow])
                figure.count = len(kills)
                figure.remark = f"all well again after {max(kill.healed_s for kill in kills):.1f} s at the most"
        return kills

    @contextlib.asynccontextmanager
    async def _configured(self, flow: Flow | None) -> AsyncIterator[None]:
        """The dynamic config of the service is as the flow wants it; read at a start, which is sooner than in time."""
        if flow is None or not flow.config:
            yield
            return
        await self._rest()
        with self.stage.configured(self.trial.service, flow.config):
            await asyncio.to_thread(self.armed[self.trial.service].begin)
            yield
            await self._rest()
        await asyncio.to_thread(self.armed[self.trial.service].begin)

    async def _recorded(self, play: Callable[[], Awaitable[object]]) -> dict[str, list[str]]:
        await self._rest()
        for armed in self.armed.values():
            armed.order("record *")
        await play()
        await self._rest()
        return {service: armed.happened() for service, armed in self.armed.items()}

    async def _start_all(self) -> None:
        clock = {point.name for point in failpoints.of_queue() if point.name.startswith(OF_THE_CLOCK)}
        for armed in self.armed.values():
            await asyncio.to_thread(armed.go_down)
            await asyncio.to_thread(armed.come_back)
        await until(lambda: all(clock <= {*armed.happened()} for armed in self.armed.values()), REACHED_WITHIN_S)

    async def _rest(self) -> None:
        await until(self.stage.is_quiet, timeout_s=30, period_s=0.02)

    async def kill_at_each(self, flow: str, points: Sequence[tuple[str, str]]) -> list[Kill]:
        """Kills at each (service, boundary) in turn, the flow being played anew each time.

        The victim comes back and the next kill follows while flows that were hit before go on, as they may; in the end
        every one of them has its outcome, nothing is left to do and every invariant holds. AssertionError otherwise.
        """
        async with self._configured(self.flows.get(flow)):
            return await self._kill_at_each(flow, points)

    async def _kill_at_each(self, flow: str, points: Sequence[tuple[str, str]]) -> list[Kill]:
        struck = [await self._killed(flow, service, name) for service, name in points]
        ends = [await each.tail for each in struck]
        await self._be_whole(f"{flow}: {', '.join(name for _, name in points)}")
        ends[-1] = time.monotonic()  # of the last kill, what no flow waits for is part of the healing
        kills = []
        for each, end in zip(struck, ends, strict=True):
            earlier = [other for other in struck if other.back_at <= max(end, each.back_at)]
            last = max(earlier, key=lambda other: other.back_at)
            kills.append(Kill(each.service, each.name, flow, max(0.0, end - last.back_at) + last.skipped_s))
        return kills

    async def _killed(self, flow: str, service: str, name: str) -> _Struck:
        """Killed once and back, while the flow goes on."""
        armed = self.armed[service]
        armed.order(f"kill {name}")
        tail = asyncio.create_task(self._played(flow, armed))
        self._tails.append(tail)
        try:
            await until(lambda: _is_struck(armed, name, tail), REACHED_WITHIN_S)
        except AssertionError:
            raise NotReached(f"{flow} did not come to {name} of {service}") from None
        if flow == START:
            await tail
        await asyncio.to_thread(armed.go_down)
        armed.order("")
        skipped_s = 0.0 if name == IN_FULL_TIME else await self.stage.skip_leases(service)
        await asyncio.to_thread(armed.come_back)
        return _Struck(service, name, tail, time.monotonic(), skipped_s)

    async def _played(self, flow: str, armed: victims.Armed) -> float:
        """Plays the flow to its end; when that was."""
        if flow == START:
            with contextlib.suppress(StackFailed):
                await asyncio.to_thread(armed.go_down)
                await asyncio.to_thread(armed.come_back)
        else:
            await self.flows[flow].play(self.stage)
        return time.monotonic()

    async def _be_whole(self, what: str) -> None:
        """Waits until nothing is left to do and every invariant holds."""
        wrong = ["not asked yet"]

        async def is_whole() -> bool:
            wrong[:] = [*(await self.stage.unfinished(self.trial.service)), *(await self.trial.broken(self.stage))]
            return not wrong

        try:
            await until(is_whole, HEALED_WITHIN_S, period_s=0.1)
        except AssertionError:
            raise AssertionError(f"not whole after kills in {what}: {wrong}") from None


def _is_struck(armed: victims.Armed, name: str, tail: "asyncio.Task[float]") -> bool:
    if f"kill {name}" in armed.happened():
        return True
    if tail.done() and (failure := tail.exception()) is not None:
        raise failure
    return False


async def _each(calls: Iterable[Callable[[], None]]) -> None:
    await asyncio.gather(*(asyncio.to_thread(call) for call in calls))
