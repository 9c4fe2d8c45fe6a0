"""Histories of one order: two passengers click, taximeters pull and report, processing changes drivers, time passes.

A 2xx happened, a 4xx and a 503 did not bind; of anything else (500, 502, 504, no answer) nobody knows, and it is asked
again with the same id. Results, new drivers and sessions are chosen by `chance`.
"""

import asyncio
import random
import secrets
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from chaos import recording
from chaos.linearizability import type_of_answer
from chaos.music import asking, requests
from chaos.music.asking import Subject
from chaos.music.order import Action
from chaos.music.polls import Poll
from chaos.music.requests import Driver, Request
from chaos.recording import DID_NOT_HAPPEN, Recording
from chaos.weather import Gated
from journeys.world import Answer
from kit import clock
from testkit.waiting import until

# A request that its caller has given up is at its end by then: the service was told how long it may take.
OVER_AFTER_S = 5.0
_DEADLINE_MS = "3000"
_THOUGHT_S = 0.12
_GIVES_UP = 0.1
_BUTTONS = ("play", "pause", "next", "previous", "set_volume", "seek", "play_item")
_JOURNAL = """
SELECT coalesce((SELECT event_seq FROM orders.orders WHERE order_id = %(order_id)s), 0) AS event_seq, coalesce((
    SELECT jsonb_agg(jsonb_build_array(p.driver_profile_id, p.status = 'active', p.applied_seq, (
        SELECT coalesce(jsonb_agg(c.status ORDER BY c.seq), '[]') FROM commands.commands c
        WHERE c.player_id = p.player_id)) ORDER BY p.version)
    FROM players.players p WHERE p.order_id = %(order_id)s), '[]') AS players
"""
_MADE = """
SELECT c.command_id, (p.place - 1)::integer AS place, c.seq FROM commands.commands c JOIN (
    SELECT player_id, row_number() OVER (ORDER BY version) AS place FROM players.players WHERE order_id = %(order_id)s
) p USING (player_id)
"""
_LAPSE = """
UPDATE commands.commands SET expires_at = clock_timestamp()
WHERE order_id = %(order_id)s AND command_id = %(command_id)s
AND status IN ('queued', 'delivered') AND expires_at > clock_timestamp()
"""


class Recorder:
    """Does what people, cars and processing do, and writes it down."""

    def __init__(self, gated: Gated, chance: random.Random) -> None:
        self._gated = gated
        self._chance = chance
        self._recording = Recording(OVER_AFTER_S)
        self.outcomes = self._recording.outcomes

    async def do(self, subject: Subject, action: Action, *, timeout_s: float = 10.0) -> type_of_answer | None:
        """One operation, once; None when nobody knows what came of it."""
        return await self._recording.write(subject.history, action, partial(self._said, subject, action, timeout_s))

    async def surely(self, subject: Subject, action: Action, *, timeout_s: float = 10.0) -> type_of_answer:
        """The same until there is an answer."""
        said: list[type_of_answer] = []

        async def is_answered() -> bool:
            answer = await self.do(subject, action, timeout_s=timeout_s)
            said.extend([answer] if answer is not None and answer != DID_NOT_HAPPEN else [])
            return bool(said)

        await until(is_answered, timeout_s=30, period_s=0.05)
        return said[0]

    async def _said(self, subject: Subject, action: Action, timeout_s: float) -> type_of_answer | None:
        db = self._gated.stage.databases["music"]
        match action.kind:
            case "journal":
                return await db.one(_journal, _JOURNAL, order_id=subject.order_id)
            case "lapse":
                async with db.transaction() as tx:
                    await tx.run("SET LOCAL session_replication_role = replica")
                    done = await tx.run(_LAPSE, order_id=subject.order_id, command_id=action.command_id)
                return "ok", done
        return asking.read(action, await self._asked(asking.request(subject, action), timeout_s))

    async def _asked(self, request: Request, timeout_s: float) -> Answer:
        world = self._gated.stage.world
        headers = request.headers_with(world.stack["tickets"]) | {"X-YaTaxi-Client-TimeoutMs": _DEADLINE_MS}
        url = self._gated.url + request.path
        return await recording.once(world.http, request.method, url, request.body, headers, timeout_s)

    async def poll(self, subject: Subject, client: str, known: int | None) -> Poll:
        """What one client sees now, or as soon as it is another version; noted."""
        wait_ms = self._chance.choice((0, 0, 500)) if known is not None else 0
        began = clock.now()
        asked = requests.state(subject.order_id, subject.yandex_uid, known=known, wait_ms=wait_ms)
        answer = await self._asked(asked, timeout_s=3.0)
        poll = Poll(client, began, known, answer)
        subject.polls.append(poll)
        return poll

    async def made(self, subject: Subject) -> dict[str, tuple[int, int]]:
        """What the journal has of each command: the place of its player, and its number."""
        return dict(await self._gated.stage.databases["music"].all(_made, _MADE, order_id=subject.order_id))

    # Who does it.

    async def click(self, subject: Subject, count: int) -> None:
        """A passenger: so many operations, one after the other."""
        action = self._clicked(subject)
        for _ in range(count):
            await asyncio.sleep(self._chance.uniform(0, _THOUGHT_S))
            said = await self.do(subject, action, timeout_s=self._chance.choice((0.3, 1.0, 3.0)))
            if said is not None or self._chance.random() < _GIVES_UP:
                action = self._clicked(subject)

    def _clicked(self, subject: Subject) -> Action:
        known = list(subject.command_ids)[-4:]
        match self._chance.random():
            case luck if luck < 0.06 and known:
                return Action("lapse", command_id=self._chance.choice(known))
            case luck if luck < 0.12:
                return Action("journal")
            case luck if luck < 0.2 and known:
                command_id = self._chance.choice(known)
                button = subject.command_ids[command_id]
                return Action("command", command_id=command_id, button=self._chance.choice((button, button, "play")))
        command_id, button = str(uuid.uuid4()), self._chance.choice(_BUTTONS)
        subject.command_ids[command_id] = button
        return Action("command", command_id=command_id, button=button)

    async def watch(self, subject: Subject, client: str) -> None:
        """A passenger's screen; never returns."""
        known: int | None = None
        while True:
            poll = await self.poll(subject, client, known)
            known = poll.version or known
            await asyncio.sleep(self._chance.uniform(0.02, 0.1))

    async def drive(self, subject: Subject, driver: Driver) -> None:
        """One driver's taximeter, which is started anew now and then; never returns."""
        while True:
            await self._one_session(subject, driver, f"session-{secrets.token_hex(4)}")

    async def _one_session(self, subject: Subject, driver: Driver, session: str) -> None:
        applied_seq = 0
        for report_seq in range(1, self._chance.randint(8, 25)):
            told = await self._pulled(subject, driver, applied_seq)
            fresh = [seq for seq in told if seq > applied_seq]
            done = tuple(fresh[: self._chance.randint(0, len(fresh))])
            failed = tuple(seq for seq in done if self._chance.random() < 0.15)
            applied = tuple(seq for seq in done if seq not in failed and self._chance.random() < 0.95)
            applied_seq = max((applied_seq, *done))
            report = Action(
                "report",
                report_seq,
                driver.profile_id,
                session=session,
                applied_seq=applied_seq,
                applied=applied,
                failed=failed,
            )
            if (await self._insisted(subject, report))[0] != "ok":
                return

    async def _pulled(self, subject: Subject, driver: Driver, after_seq: int) -> list[int]:
        await asyncio.sleep(self._chance.uniform(0.02, _THOUGHT_S))
        said = await self._insisted(subject, Action("pull", after_seq, driver.profile_id))
        return list(said[1]) if said[0] == "ok" else []  # type: ignore[call-overload]  # a tuple of numbers

    async def _insisted(self, subject: Subject, action: Action) -> type_of_answer:
        """What a machine repeats until it is answered."""
        return await self.surely(subject, action, timeout_s=1.0)

    async def dispatch(self, subject: Subject) -> None:
        """Processing gives the order to one driver and the other, and repeats itself; never returns."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.5, 2.0))
            if self._chance.random() < 0.3 and subject.event_seq > 1:
                late = self._chance.randint(1, subject.event_seq)
                await self._insisted(subject, Action("assign", late, self._chance.choice(subject.drivers).profile_id))
            else:
                subject.event_seq += 1
                subject.driver = self._chance.choice(subject.drivers)
                await self._insisted(subject, Action("assign", subject.event_seq, subject.driver.profile_id))

    async def begin(self, subject: Subject) -> None:
        """In good weather: the order gets its first driver."""
        subject.event_seq = 1
        await self.surely(subject, Action("assign", 1, subject.driver.profile_id))

    async def finish(self, subject: Subject) -> None:
        """In good weather: the ride ends, and a last look at the journal."""
        subject.event_seq += 1
        for action in (Action("journal"), Action("finish", subject.event_seq), Action("journal")):
            await self.surely(subject, action)


def _made(command_id: str, place: int, seq: int) -> tuple[str, tuple[int, int]]:
    return command_id, (place, seq)


def _journal(event_seq: int, players: Any) -> type_of_answer:
    shown = ((driver, active, applied, tuple(statuses)) for driver, active, applied, statuses in players)
    return "ok", event_seq, *shown


async def lived(recorder: Recorder, subject: Subject, *, clicks: int) -> None:
    """Two passengers click so often on one order, while everybody else does what they do."""
    others: list[Callable[[], Awaitable[None]]] = [
        *(partial(recorder.watch, subject, client) for client in ("first", "second")),
        *(partial(recorder.drive, subject, driver) for driver in subject.drivers),
        partial(recorder.dispatch, subject),
    ]
    beside = [asyncio.ensure_future(other()) for other in others]
    try:
        await asyncio.gather(*(recorder.click(subject, clicks) for _ in range(2)))
    finally:
        for task in beside:
            task.cancel()
        ends = await asyncio.gather(*beside, return_exceptions=True)
    for end in ends:
        if not isinstance(end, asyncio.CancelledError):
            raise end or AssertionError("somebody left the ride early")
