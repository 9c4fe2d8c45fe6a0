"""What operators change about processing's events and about pushes; in memory, and forgotten by a reset."""

from dataclasses import dataclass, field

from sandbox import faults


@dataclass(slots=True)
class Habits:
    """How events are told: `is_twice` each two times, `late_ms` after they happened, `is_swapped` in pairs, the second
    one first (the last of an order waits for none).
    """

    is_twice: bool = False
    late_ms: int = 0
    is_swapped: bool = False


@dataclass(slots=True)
class Air:
    """How pushes travel: a share is lost, all take `delay_ms`, a share arrives twice, with `is_reordered` every other
    one is overtaken by the next.
    """

    loss: faults.Fault = field(default_factory=lambda: faults.Fault("lost", share=0.0))
    delay_ms: int = 0
    duplicates: faults.Fault = field(default_factory=lambda: faults.Fault("twice", share=0.0))
    is_reordered: bool = False
    sent: int = 0


@dataclass(slots=True)
class Switches:
    """All of them."""

    events: Habits = field(default_factory=Habits)
    pushes: Air = field(default_factory=Air)

    def clear(self) -> None:
        """As on the first day."""
        self.events, self.pushes = Habits(), Air()
