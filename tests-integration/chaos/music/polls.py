"""What passengers saw, judged: a poll may be a moment old, but is a state that was there, and never an older one again.

Every version of every player is noted by a trigger beside the service, so that what existed is known for sure; a
watcher looks at the newest version many times a second, so that it is known what was committed by when.
"""

import asyncio
import bisect
import contextlib
import datetime
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeys.world import Answer
from kit import clock, pg

FRESH_WITHIN_S = 5.0
_PERIOD_S = 0.05
_NOTED = """
CREATE SCHEMA IF NOT EXISTS chaos;
CREATE TABLE IF NOT EXISTS chaos.versions (
    order_id text, version bigint, txid xid8 DEFAULT pg_current_xact_id(), player jsonb);
CREATE OR REPLACE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO chaos.versions (order_id, version, player) VALUES (NEW.order_id, NEW.version, to_jsonb(NEW));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER chaos_note AFTER INSERT OR UPDATE ON players.players
    FOR EACH ROW EXECUTE FUNCTION chaos.note();
"""
_FORGOTTEN = "DROP SCHEMA IF EXISTS chaos CASCADE"
# Of what one transaction did only the end could be seen.
_VISIBLE = """
SELECT DISTINCT ON (txid) version, player FROM chaos.versions WHERE order_id = %(order_id)s
ORDER BY txid, version DESC, ctid DESC
"""
_NEWEST = "SELECT order_id, max(version) AS version FROM players.players GROUP BY order_id"


@dataclass(frozen=True, slots=True)
class Poll:
    """One look of one client, which knew a version or none."""

    client: str
    began: datetime.datetime
    known: int | None
    answer: Answer

    @property
    def version(self) -> int | None:
        """The version that the client has now by this answer, None without one."""
        if self.answer.status == 304:
            return self.known
        return int(self.answer.body["version"]) if self.answer.status == 200 else None

    def __str__(self) -> str:
        said = self.answer.body if self.answer.status != 304 else ""
        return f"{self.began:%H:%M:%S.%f} {self.client} with {self.known}: {self.answer.status} {said}"


@dataclass
class Watcher:
    """What was committed by when: for each order, times and the newest version that was seen by then."""

    db: pg.Database
    seen: dict[str, tuple[list[datetime.datetime], list[int]]] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, db: pg.Database) -> AsyncIterator["Watcher"]:
        """Watches, and has every version noted, while inside."""
        await db.run(_NOTED)
        watcher = cls(db)
        watching = asyncio.create_task(watcher._watch())
        try:
            yield watcher
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await db.run(_FORGOTTEN)

    async def _watch(self) -> None:
        while True:
            for order_id, version in await self.db.all(_pair, _NEWEST):
                times, versions = self.seen.setdefault(order_id, ([], []))
                if not versions or versions[-1] != version:
                    times.append(clock.now())
                    versions.append(version)
            await asyncio.sleep(_PERIOD_S)

    async def visible(self, order_id: str) -> dict[int, Mapping[str, Any]]:
        """Every state of an order that anybody could have seen, by its version."""
        return dict(await self.db.all(_row, _VISIBLE, order_id=order_id))

    def committed_by(self, order_id: str, at: datetime.datetime) -> int:
        """The newest version that was surely there at this time."""
        times, versions = self.seen.get(order_id, ([], []))
        place = bisect.bisect_right(times, at)
        return versions[place - 1] if place else 0


def _pair(order_id: str, version: int) -> tuple[str, int]:
    return order_id, version


def _row(version: int, player: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    return version, player


async def wrong(watcher: Watcher, order_id: str, polls: Sequence[Poll]) -> list[str]:
    """What nobody may have seen; none is well."""
    visible = await watcher.visible(order_id)
    found = [*_went_back(polls)]
    for poll in polls:
        if poll.answer.status == 200:
            found += _differs(poll, visible)
        found += _is_old(poll, watcher, order_id, visible)
    return found


def _went_back(polls: Iterable[Poll]) -> Iterable[str]:
    newest: dict[str, int] = {}
    for poll in polls:
        if (version := poll.version) is not None:
            if version < newest.get(poll.client, 0):
                yield f"went back from {newest[poll.client]}: {poll}"
            newest[poll.client] = version


def _differs(poll: Poll, visible: Mapping[int, Mapping[str, Any]]) -> list[str]:
    body = poll.answer.body
    player = visible.get(body["version"])
    if player is None:
        return [f"a version that nobody could have seen: {poll}"]
    state = player["state"] or {}
    was = {name: player[name] for name in ("player_id", "connection", "last_error")} | {
        name: state.get(name) for name in ("volume", "track")
    }
    is_active = player["status"] == "active"
    shown = {name: body[name] for name in was}
    return [] if shown == was and is_active else [f"not what version {body['version']} was, {was}: {poll}"]


def _is_old(poll: Poll, watcher: Watcher, order_id: str, visible: Mapping[int, Mapping[str, Any]]) -> list[str]:
    since = watcher.committed_by(order_id, poll.began - datetime.timedelta(seconds=FRESH_WITHIN_S))
    if poll.version is not None:
        return [f"version {since} was there {FRESH_WITHIN_S} s before: {poll}"] if poll.version < since else []
    if poll.answer.status != 406:
        return []
    inactive = [version for version, player in visible.items() if player["status"] == "closed"]
    is_explained = since == 0 or any(version >= since for version in inactive)
    return [] if is_explained else [f"there was a player: {poll}"]
