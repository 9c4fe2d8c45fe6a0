"""Faults are planted: the services run from a copy of the sources, in which a bug comes and goes.

One that fits nothing any more is a mistake of the table in `faults`, and says so.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from chaos.failpoints import ROOT
from chaos.faults import Fault, type_of_check
from chaos.weather import Gated
from journeys.world import expect
from kit import pg
from local_stack import Stack

SOURCES = ("services/maas", "services/maas-authproxy", "libs/kit", "libs/clients")
_TABLES = """
SELECT string_agg(quote_ident(table_schema) || '.' || quote_ident(table_name), ', ') FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema IN ('users', 'subscriptions')
"""


class Planting:
    """The services run from a copy of the sources, in which faults come and go."""

    def __init__(self, gated: Gated, copy: Path) -> None:
        self._gated = gated
        self._copy = copy
        self._ill: set[str] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, stack: Stack, copy: Path) -> AsyncIterator["Planting"]:
        """Copies the sources and starts both services from there; in the end all is as it was, and nobody is left."""
        for source in SOURCES:
            ignored = shutil.ignore_patterns("tests", "bench", "__pycache__")
            shutil.copytree(ROOT / source, copy / source, ignore=ignored)
        usual = {service: dict(stack.environment[service]) for service in ("maas", "maas-authproxy")}
        path = ":".join(str(copy / source) for source in SOURCES)
        for service in usual:
            # Compiled files are known by size and second: a fault that comes and goes within one would stay.
            stack.environment[service] |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            async with Gated.opened(stack) as gated:
                planting = cls(gated, copy)
                yield planting
                await planting._forget_everybody()
        finally:
            for service, environment in usual.items():
                stack.environment[service] = environment
                await asyncio.to_thread(stack.restart, service)

    async def check(self, check: type_of_check) -> None:
        """Runs a check of what runs now."""
        await check(self._gated)

    @contextlib.asynccontextmanager
    async def fault(self, fault: Fault) -> AsyncIterator[None]:
        """The fault is there. FitsNoMore."""
        db = self._gated.stage.databases["maas"]
        with self._edited(fault):
            await self._start_again({fault.service} if fault.edits else set())
            self._ill = {fault.service} if fault.edits else set()
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
        stage = self._gated.stage
        tables = await stage.databases["maas"].one(pg.value, _TABLES)
        await stage.databases["maas"].run(f"TRUNCATE {tables} CASCADE")
        await stage.databases["maas"].run("DELETE FROM stq.tasks WHERE task_id NOT LIKE 'tick-%'")
        expect(await stage.world.sandbox("POST", "/_reset"), 200)
