"""Delivery as a whole: whatever passenger, taximeter, time and processing do, each command has the fate it must have.

Each history is played to the service and to the model of it in `conftest`; after each step both must agree, and
what must always hold must hold.
"""

import dataclasses
import uuid
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIFETIME_S = 300  # as the model has it
STEP_S = 90
OPEN = ("queued", "delivered")
PLAYER = "SELECT * FROM players.players WHERE order_id = %(order_id)s"
COMMANDS = "SELECT * FROM commands.commands WHERE order_id = %(order_id)s ORDER BY seq"


@dataclass
class Taximeter:
    """A device: what it was given, how far it is, and what it has to say."""

    session: str = "session-0"
    report_seq: int = 0
    applied_seq: int = 0
    given: set[int] = field(default_factory=set)
    unsaid: dict[int, str] = field(default_factory=dict)
    said: list[dict[str, Any]] = field(default_factory=list)

    def do(self, result: str | None) -> None:
        """Carries out the next command; None: and forgets to note what came of it."""
        ahead = sorted(seq for seq in self.given if seq > self.applied_seq)
        if ahead:
            self.applied_seq = ahead[0]
            if result is not None:
                self.unsaid[ahead[0]] = result

    def report(self, order_id: str) -> dict[str, Any]:
        """Its next report."""
        self.report_seq += 1
        results: list[dict[str, Any]] = [
            {"seq": seq, "result": result} | ({} if result == "applied" else {"reason": "no_licence"})
            for seq, result in self.unsaid.items()
        ]
        body = {
            "order_id": order_id,
            "device_session": self.session,
            "report_seq": self.report_seq,
            "state": {"playback": "paused", "track": None, "volume": 5},
            "applied_seq": self.applied_seq,
            "results": results,
        }
        self.said.append(body)
        return body


STEPS = [
    *[("press", "next"), ("press", "set_volume")] * 2,
    *[("pull", True), ("pull", False)],
    *[("do", "applied")] * 3,
    *[("do", "failed"), ("do", None)],
    *[("report", "arrives")] * 3,
    *[("report", "lost"), ("report", "answer_lost"), ("report_again", 1), ("report_again", 3)],
    *[("press_again", 0), ("press_again", 2), ("restart", None), ("time", 1), ("time", 3), ("expire", None)],
]


class History:
    """One order, played step by step."""

    def __init__(self, world: Any, expected: Any) -> None:
        self.world = world
        self.order_id = f"order-{uuid.uuid4()}"
        self.expected = expected
        self.taximeter = Taximeter()
        self.version = 0

    async def play(self, step: tuple[str, Any]) -> None:
        """Does the step to the service and to the model."""
        await getattr(self, step[0])(step[1])
        await self.compare()

    async def press(self, action: str) -> None:
        command_id = str(uuid.uuid4())
        answer = await self._press(command_id, action)
        expected = self.expected.answer_to(action)
        assert answer.status == expected
        if expected == 200:
            self.expected.press(command_id, action)
            assert answer.body["seq"] == len(self.expected.wishes)
            self.version = answer.body["version"]

    async def press_again(self, number: int) -> None:
        for seq, wish in list(enumerate(self.expected.wishes, 1))[number : number + 1]:
            answer = await self._press(wish.command_id, wish.action)
            assert (answer.status, answer.body["seq"], answer.body["status"]) == (200, seq, wish.status)

    async def _press(self, command_id: str, action: str) -> Any:
        args = {"volume": 1} if action == "set_volume" else {}
        return await self.world.press(action, args, order_id=self.order_id, command_id=command_id)

    async def pull(self, is_all: bool) -> None:
        after_seq = 0 if is_all else self.taximeter.applied_seq
        answer = await self.world.as_driver("GET", f"commands?order_id={self.order_id}&after_seq={after_seq}")
        self._take(answer, *((410, []) if self.expected.is_closed else (200, self.expected.handed_out(after_seq))))

    async def do(self, result: str | None) -> None:
        self.taximeter.do(result)

    async def report(self, way: str) -> None:
        body = self.taximeter.report(self.order_id)
        if way == "lost":
            return
        answer = await self.world.as_driver("POST", "update", body)
        expected = self.expected.report(body)
        if way == "arrives":
            self._take(answer, *expected)
            self.taximeter.unsaid.clear()
        assert answer.status == expected[0]

    async def report_again(self, number: int) -> None:
        for body in self.taximeter.said[-1 - number : -number or None]:
            answer = await self.world.as_driver("POST", "update", body)
            self._take(answer, *self.expected.report(body))

    def _take(self, answer: Any, status: int, seqs: list[int]) -> None:
        told = [each["seq"] for each in answer.body.get("commands", [])]
        assert (answer.status, told) == (status, seqs)
        self.taximeter.given.update(told)

    async def restart(self, _: None) -> None:
        number = int(self.taximeter.session.rpartition("-")[2]) + 1
        self.taximeter = dataclasses.replace(
            self.taximeter, session=f"session-{number}", report_seq=0, unsaid={}, given=set()
        )

    async def time(self, steps: int) -> None:
        await self.world.pass_time("players", "commands", seconds=steps * STEP_S)
        for wish in self.expected.wishes:
            wish.left_s -= steps * STEP_S

    async def expire(self, _: None) -> None:
        await self.world.runs("music.commands.expire")
        self.expected.expire()

    async def close(self, _: None) -> None:
        await self.world.closes(order_id=self.order_id)
        self.expected.close()

    async def compare(self) -> None:
        """The database is what the model says, and nothing is broken."""
        (player,) = await self.world.rows(PLAYER, order_id=self.order_id)
        found = await self.world.rows(COMMANDS, order_id=self.order_id)
        assert [(row["command_id"], row["status"], row["late_result"]) for row in found] == [
            (wish.command_id, wish.status, wish.late) for wish in self.expected.wishes
        ]
        error = player["last_error"] and (player["last_error"]["command_id"], player["last_error"]["code"])
        assert error == self.expected.error
        assert player["last_seq"] == len(found)
        assert player["version"] >= self.version
        self.version = player["version"]
        applied = [row for row in found if row["status"] == "applied"]
        assert applied == sorted(applied, key=lambda row: (row["settled_at"], row["seq"]))
        assert all(row["settled_at"] < (player["closed_at"] or row["expires_at"]) for row in applied)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(STEPS), min_size=30, max_size=40), closes_after=st.integers(20, 60))
async def test_gives_each_command_the_fate_it_must_have(
    world: Any, new_expected: Any, steps: list[Any], closes_after: int
) -> None:
    await world.configured(MUSIC_COMMANDS={"lifetime_s": LIFETIME_S, "limit": 1000})
    history = History(world, new_expected())
    await world.opened(history.order_id)
    for step in [*steps[:closes_after], ("close", None), *steps[closes_after:]]:
        await history.play(step)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(STEPS), min_size=15, max_size=20))
async def test_leaves_no_command_open_beyond_its_time(world: Any, new_expected: Any, steps: list[Any]) -> None:
    await world.configured(MUSIC_COMMANDS={"lifetime_s": LIFETIME_S, "limit": 1000})
    history = History(world, new_expected())
    await world.opened(history.order_id)
    for step in [*steps, ("press", "next"), ("time", 4), ("expire", None)]:
        await history.play(step)
    assert not [wish for wish in history.expected.wishes if wish.status in OPEN]
