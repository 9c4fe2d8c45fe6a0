"""The configs in force: the last good snapshot, and the task that looks for a newer one."""

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from kit import logs, metrics
from kit.dynconf import declarations, document

PERIOD_S = 1.0

_reload_errors = metrics.counter("dynconf_reload_errors_total", "New versions of the dynamic config that were refused")
_version = metrics.gauge("dynconf_version", "The version in force, the first 48 bits of its sha256 as a number")
_loaded_at = metrics.gauge("dynconf_loaded_timestamp_seconds", "When the version in force was loaded")

logs.allow("mistakes")


class Configs:
    """The values and experiments of one service; made by `open`, kept fresh between `start` and `close`."""

    def __init__(
        self,
        path: Path,
        values: Sequence[declarations.Value],
        experiments: Sequence[declarations.Experiment] = (),
        *,
        period_s: float = PERIOD_S,
    ) -> None:
        self._path = path
        self._values = _distinct(values)
        self._experiments = _distinct(experiments)
        self._period_s = period_s
        self._task: asyncio.Task[None] | None = None
        self._stamp: tuple[int, int, int] | None = None
        self._digest = b""
        self._unreadable: str | None = None
        self._snapshot: document.Snapshot

    @classmethod
    def open(
        cls,
        path: Path | str,
        values: Sequence[declarations.Value],
        experiments: Sequence[declarations.Experiment] = (),
        *,
        period_s: float = PERIOD_S,
    ) -> Self:
        """Reads the document for the first time; `document.Broken` when it can't be used."""
        made = cls(Path(path), values, experiments, period_s=period_s)
        try:
            made._refresh()
        except OSError as wrong:
            raise document.Broken(str(path), [f"it can't be read ({wrong.strerror})"]) from None
        return made

    @property
    def version(self) -> str:
        """The version in force, twelve hexadecimal digits."""
        return self._snapshot.version

    def get(self, value: declarations.Value) -> Any:
        """The value in force, as its shape loaded it; KeyError when it was not given to `open`."""
        return self._snapshot.values[value.name]

    def experiment(
        self,
        experiment: declarations.Experiment,
        *,
        uid: str | None = None,
        phone_id: str | None = None,
        flags: Collection[str] = (),
        application: str | None = None,
        version: str | None = None,
        city: str | None = None,
    ) -> Any:
        """The value of the first clause that matches, None when none does."""
        if experiment.name not in self._experiments:
            raise KeyError(experiment.name)
        arguments = {"uid": uid, "phone_id": phone_id, "flags": flags, "application": application}
        arguments |= {"version": version, "city": city}
        for clause in self._snapshot.experiments.get(experiment.name, ()):
            if clause.matches(experiment.name, arguments):
                return clause.value
        return None

    async def start(self) -> None:
        """Begins to look for new versions."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="dynconf")

    async def close(self) -> None:
        """Stops looking."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._period_s)
            await self.refresh()

    async def refresh(self) -> bool:
        """Looks once, now; True when a new version came into force. A broken one is counted, logged and left alone."""
        try:
            return await asyncio.to_thread(self._refresh)
        except document.Broken as broken:
            self._refused(broken.errors[:20])
        except OSError as wrong:
            self._vanished(str(wrong.strerror))
        except Exception:
            _reload_errors.inc()
            logs.exception("dynconf_refused")
        return False

    def _vanished(self, reason: str) -> None:
        # A file that is gone for an hour is one event, not 3600.
        if reason != self._unreadable:
            self._unreadable = reason
            self._refused([f"it can't be read ({reason})"])

    def _refused(self, mistakes: list[str]) -> None:
        _reload_errors.inc()
        logs.error("dynconf_refused", mistakes=mistakes)

    def _refresh(self) -> bool:
        status = os.stat(self._path)
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == self._stamp:
            return False
        with open(self._path, "rb") as file:
            raw = file.read(document.MAX_BYTES + 1)
        self._unreadable = None
        # The stamp is taken before reading: what is written meanwhile changes it, and is read in the next round.
        self._stamp = stamp
        digest = hashlib.sha256(raw).digest()
        if digest == self._digest:
            return False
        self._digest = digest
        self._snapshot = document.load(
            raw, str(self._path), list(self._values.values()), list(self._experiments.values())
        )
        _version.set(int(self._snapshot.version, 16))
        _loaded_at.set(time.time())
        return True


_Declared = TypeVar("_Declared", declarations.Value, declarations.Experiment)


def _distinct(declared: Sequence[_Declared]) -> dict[str, _Declared]:
    found: dict[str, _Declared] = {}
    for one in declared:
        if found.setdefault(one.name, one) is not one:
            raise ValueError(f"{one.name} is declared twice")
    return found
