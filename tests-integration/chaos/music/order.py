"""What the model of music speaks of: calls, and the state of one order with its players and commands."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

QUEUED, DELIVERED, APPLIED, FAILED = "queued", "delivered", "applied", "failed"
EXPIRED, SUPERSEDED, CANCELLED = "expired", "superseded", "cancelled"
OPEN = (QUEUED, DELIVERED)
REPLACED_BY_THE_NEXT = ("set_volume", "seek", "play_item")
NEEDS_A_STATE = ("set_volume", "seek")


@dataclass(frozen=True, slots=True)
class Action:
    """One call: `kind` is a name of `KINDS`.

    Of a report `applied` and `failed` are the results, `seq` the report's number; of an event `seq` is its number. Of a
    command `made` is what came of it, if that was found out: the place of its player and its own number.
    """

    kind: str
    seq: int = 0
    driver: str = ""
    command_id: str = ""
    button: str = ""
    session: str = ""
    applied_seq: int = 0
    applied: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    made: tuple[int, int] | None = None

    def __str__(self) -> str:
        results = f"applied {self.applied} failed {self.failed}" if self.kind == "report" else ""
        names = (self.kind, str(self.seq or ""), self.driver, self.session, self.command_id, self.button, results)
        return " ".join(filter(None, names))


class Command(NamedTuple):
    """One line of the journal; `is_over` when its time is, which somebody will notice."""

    command_id: str
    button: str
    status: str = QUEUED
    is_over: bool = False

    @property
    def is_open(self) -> bool:
        """True until it has a fate."""
        return self.status in OPEN


class Player(NamedTuple):
    """One player; its commands are numbered from `begun` + 1, where those of the order's former player ended."""

    driver: str
    is_active: bool = True
    session: str = ""
    former_sessions: frozenset[str] = frozenset()
    report_seq: int = 0
    applied_seq: int = 0
    commands: tuple[Command, ...] = ()
    begun: int = 0

    @property
    def last_seq(self) -> int:
        """The number of the last command."""
        return self.begun + len(self.commands)

    def command(self, seq: int) -> Command:
        """The command with this number."""
        return self.commands[seq - self.begun - 1]

    def with_command(self, seq: int, changed: Command) -> "Player":
        """The player with this command in the place of the one that had its number."""
        place = seq - self.begun - 1
        return self._replace(commands=(*self.commands[:place], changed, *self.commands[place + 1 :]))

    def with_status(self, seq: int, status: str) -> "Player":
        """The player whose command has this status."""
        return self.with_command(seq, self.command(seq)._replace(status=status))

    def numbered(self) -> Iterator[tuple[int, Command]]:
        """The commands with their numbers."""
        return enumerate(self.commands, self.begun + 1)

    def open_after(self, seq: int) -> tuple[int, ...]:
        """The numbers of the open commands above this one."""
        return tuple(number for number, each in self.numbered() if each.is_open and number > seq)


class Order(NamedTuple):
    """The state: the last event of processing, and the players in the order in which they were opened."""

    event_seq: int = 0
    players: tuple[Player, ...] = ()

    @property
    def current(self) -> Player | None:
        """The player that was opened last."""
        return self.players[-1] if self.players else None

    def place_of(self, driver: str) -> int | None:
        """Where the last player of this driver is."""
        return next(
            (place for place in reversed(range(len(self.players))) if self.players[place].driver == driver), None
        )

    def with_player(self, place: int, changed: Player) -> "Order":
        """The state with this player."""
        return self._replace(players=(*self.players[:place], changed, *self.players[place + 1 :]))

    def find_command(self, command_id: str) -> tuple[int, Command] | None:
        """The command with this id and its number, whichever player has it."""
        found = ((seq, each) for player in self.players for seq, each in player.numbered())
        return next(((seq, each) for seq, each in found if each.command_id == command_id), None)
