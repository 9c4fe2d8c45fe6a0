"""A model of delivery, a page long: what must become of commands, whatever happens in whichever order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

LIFETIME_S = 300
OPEN = ("queued", "delivered")


@dataclass
class Wish:
    """A command as it must be."""

    command_id: str
    action: str
    left_s: int = LIFETIME_S
    status: str = "queued"
    late: str | None = None


@dataclass
class Expected:
    """What the service must remember, and answer."""

    wishes: list[Wish] = field(default_factory=list)
    session: str | None = None
    sessions: set[str] = field(default_factory=set)
    report_seq: int = 0
    error: tuple[str, str] | None = None
    is_closed: bool = False

    def answer_to(self, action: str) -> int:
        """The status of the answer to a new command; no volume is known before the first report."""
        if self.is_closed:
            return 406
        return 409 if action == "set_volume" and self.session is None else 200

    def press(self, command_id: str, action: str) -> None:
        """The passenger's command was accepted."""
        if action == "set_volume":
            for wish in self.wishes:
                if (wish.status, wish.action) == ("queued", action):
                    wish.status = "superseded"
        self.wishes.append(Wish(command_id, action))
        self.error = None

    def handed_out(self, after_seq: int = 0) -> list[int]:
        """What the taximeter gets."""
        seqs = []
        for seq, wish in enumerate(self.wishes, 1):
            if wish.status in OPEN and wish.left_s > 0 and seq > after_seq:
                wish.status = "delivered"
                seqs.append(seq)
        return seqs

    def report(self, body: dict[str, Any]) -> tuple[int, list[int]]:
        """The status of the answer, and what is handed out."""
        if self.is_closed:
            return 410, []
        session = body["device_session"]
        if session != self.session and session in self.sessions:
            return 409, []
        if session != self.session or body["report_seq"] > self.report_seq:
            self.session, self.report_seq = session, body["report_seq"]
            self.sessions.add(session)
            self._settle({each["seq"]: each["result"] for each in body["results"]}, body["applied_seq"])
        return 200, self.handed_out()

    def _settle(self, results: dict[int, str], applied_seq: int) -> None:
        behind = max(applied_seq, *results, 0)
        for seq, wish in enumerate(self.wishes, 1):
            if wish.status not in OPEN:
                self._note(wish, results.get(seq))
            elif wish.left_s <= 0:
                self._end(wish, "expired", "expired")
                self._note(wish, results.get(seq))
            elif seq in results:
                self._end(wish, results[seq], "no_licence")
            elif seq <= behind:
                self._end(wish, "failed", "no_result")

    def _note(self, wish: Wish, result: str | None) -> None:
        if result is not None and wish.late is None and wish.status != result:
            wish.late = result

    def _end(self, wish: Wish, status: str, code: str) -> None:
        wish.status = status
        if status != "applied":
            self.error = (wish.command_id, code)

    def expire(self) -> None:
        """The periodic task has run."""
        for wish in self.wishes:
            if wish.status in OPEN and wish.left_s <= 0 and not self.is_closed:
                self._end(wish, "expired", "expired")

    def close(self) -> None:
        """The ride is over."""
        self.is_closed = True
        for wish in self.wishes:
            if wish.status in OPEN:
                wish.status = "cancelled"


@pytest.fixture
def new_expected() -> Callable[[], Expected]:
    """Makes the model of an order that has a player."""
    return Expected
