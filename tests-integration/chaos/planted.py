"""Faults are planted: the services run from a copy of the sources, in which a bug comes and goes.

One that fits nothing any more is a mistake of the service's table of faults, and says so.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos import figures
from chaos.failpoints import ROOT
from chaos.trial import Trial
from chaos.weather import Gated
from journeys.world import StepFailed, expect
from kit import pg
from local_stack import Stack

LIBRARIES = ("libs/kit", "libs/clients")
_TABLES = """
SELECT string_agg(quote_ident(table_schema) || '.' || quote_ident(table_name), ', ') FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema = ANY (%(schemas)s::text[])
"""

type_of_check = Callable[[Gated], Awaitable[None]]


class FitsNoMore(Exception):
    """The text that a fault replaces is not, or not once, in the sources."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in one file."""

    file: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The text with the fault. FitsNoMore."""
        if text.count(self.old) != 1:
            raise FitsNoMore(f"{self.file} has {text.count(self.old)} times: {self.old}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Fault:
    """A bug, and the check that must catch it; `sql` breaks, and mends when the rows are gone.

    `service` names whom the edits make ill, the service of the trial when it is not given.
    """

    name: str
    check: type_of_check
    edits: tuple[Edit, ...] = ()
    service: str = ""
    sql: tuple[str, str] | None = None


class Planting:
    """The services run from a copy of the sources, in which faults come and go."""

    def __init__(self, gated: Gated, copy: Path) -> None:
        self._gated = gated
        self._copy = copy
        self._ill: set[str] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, stack: Stack, trial: Trial, copy: Path) -> AsyncIterator["Planting"]:
        """Copies the sources and starts the services from there; in the end all is as it was, and nobody is left."""
        sources = (*(f"services/{service}" for service in trial.services), *LIBRARIES)
        for source in sources:
            ignored = shutil.ignore_patterns("tests", "bench", "__pycache__")
            shutil.copytree(ROOT / source, copy / source, ignore=ignored)
        usual = {service: dict(stack.environment[service]) for service in trial.services}
        path = ":".join(str(copy / source) for source in sources)
        for service in usual:
            # Compiled files are known by size and second: a fault that comes and goes within one would stay.
            stack.environment[service] |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            async with Gated.opened(stack, trial) as gated:
                planting = cls(gated, copy)
                yield planting
                await planting._forget_everybody()
        finally:
            for service, environment in usual.items():
                stack.environment[service] = environment
                await asyncio.to_thread(stack.restart, service)

    async def missed(
        self, checks: Iterable[type_of_check], faults: Sequence[Fault], told: Callable[[str], None]
    ) -> list[str]:
        """The names of the faults that their checks do not catch; AssertionError of a check that fails without one."""
        for check in checks:
            began = time.monotonic()
            await check(self._gated)
            told(f"{check.__name__} passes: {time.monotonic() - began:.1f} s")
        with figures.timed("planted faults caught") as caught:
            missed = [fault.name for fault in faults if not await self._is_caught(fault, told)]
            caught.count = len(faults) - len(missed)
        return missed

    async def _is_caught(self, fault: Fault, told: Callable[[str], None]) -> bool:
        began = time.monotonic()
        async with self.fault(fault):
            try:
                await fault.check(self._gated)
            except (AssertionError, StepFailed) as wrong:
                took_s = time.monotonic() - began
                told(f"{fault.name}: caught by {fault.check.__name__} in {took_s:.1f} s: {wrong}"[:300])
                return True
        told(f"{fault.name}: not caught by {fault.check.__name__}")
        return False

    @contextlib.asynccontextmanager
    async def fault(self, fault: Fault) -> AsyncIterator[None]:
        """The fault is there. FitsNoMore."""
        db = self._gated.stage.databases[self._gated.trial.service]
        ill = {fault.service or self._gated.trial.service} if fault.edits else set()
        with self._edited(fault):
            await self._start_again(ill)
            self._ill = ill
            if fault.sql is not None:
                await db.run(fault.sql[0])
            try:
                yield
            finally:
                if fault.sql is not None:
                    await self._forget_everybody()
                    await db.run(fault.sql[1])

    async def _start_again(self, services: set[str]) -> None:
        stack = self._gated.stage.stack
        for service in sorted(services | self._ill):
            await asyncio.to_thread(stack.restart, service)

    @contextlib.contextmanager
    def _edited(self, fault: Fault) -> Iterator[None]:
        usual = {edit.file: (self._copy / edit.file).read_text("utf-8") for edit in fault.edits}
        try:
            for edit in fault.edits:
                file = self._copy / edit.file
                file.write_text(edit.applied(file.read_text("utf-8")), "utf-8")
            yield
        finally:
            for name, text in usual.items():
                (self._copy / name).write_text(text, "utf-8")

    async def _forget_everybody(self) -> None:
        """The first day again: what faults have left behind breaks every invariant."""
        stage, trial = self._gated.stage, self._gated.trial
        db = stage.databases[trial.service]
        tables = await db.one(pg.value, _TABLES, schemas=list(trial.schemas))
        await db.run(f"TRUNCATE {tables} CASCADE")
        await db.run("DELETE FROM stq.tasks WHERE task_id NOT LIKE 'tick-%'")
        if trial.is_in_the_world:
            expect(await stage.world.sandbox("POST", "/_reset"), 200)
