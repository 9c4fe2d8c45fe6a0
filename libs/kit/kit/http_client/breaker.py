"""A circuit breaker: when most calls of the last seconds failed, further ones are refused without being sent."""

import enum
import time
from collections import deque
from collections.abc import Callable


class State(enum.IntEnum):
    """As the metric shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Opens when at least `ratio` of at least `least` calls within `window_s` seconds failed.

    After `open_s` it lets `probes` calls through: all of them good closes it, a bad one opens it again. Each admitted
    call is told back exactly once, by `record` or, when it proves nothing (cancelled), by `abandon`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        window_s: int = 10,
        least: int = 20,
        ratio: float = 0.5,
        open_s: float = 2.0,
        probes: int = 3,
        on_change: Callable[[State], None] | None = None,
    ) -> None:
        self._clock = clock
        self._window_s = window_s
        self._least = least
        self._ratio = ratio
        self._open_s = open_s
        self._probes = probes
        self._on_change = on_change
        self._state = State.CLOSED
        self._era = 0
        self._open_until = 0.0
        self._out = 0
        self._good = 0
        # One [second, calls, failures] for each second of the window in which there were calls.
        self._seconds: deque[list[int]] = deque()

    @property
    def state(self) -> State:
        """The state as of the last call; an open breaker turns half-open when the next call comes."""
        return self._state

    def admit(self) -> int | None:
        """A token for the call, None when it must not be made."""
        if self._state is State.OPEN:
            if self._clock() < self._open_until:
                return None
            self._become(State.HALF_OPEN)
        if self._state is State.HALF_OPEN:
            if self._out + self._good >= self._probes:
                return None
            self._out += 1
        return self._era

    def record(self, token: int, *, is_good: bool) -> None:
        """Tells how the call of `token` went; one that was admitted before the last change of state says nothing."""
        if token != self._era:
            return
        if self._state is State.HALF_OPEN:
            self._record_probe(is_good=is_good)
        else:
            self._count(is_good=is_good)

    def abandon(self, token: int) -> None:
        """Takes back an admitted call that proved nothing."""
        if token == self._era and self._state is State.HALF_OPEN:
            self._out -= 1

    def _record_probe(self, *, is_good: bool) -> None:
        self._out -= 1
        if not is_good:
            self._open()
            return
        self._good += 1
        if self._good >= self._probes:
            self._become(State.CLOSED)

    def _count(self, *, is_good: bool) -> None:
        seconds = self._seconds
        second = int(self._clock())
        if not seconds or seconds[-1][0] != second:
            seconds.append([second, 0, 0])
            while seconds[0][0] <= second - self._window_s:
                seconds.popleft()
        seconds[-1][1] += 1
        if not is_good:
            seconds[-1][2] += 1
            calls = sum(entry[1] for entry in seconds)
            if calls >= self._least and sum(entry[2] for entry in seconds) >= calls * self._ratio:
                self._open()

    def _open(self) -> None:
        self._open_until = self._clock() + self._open_s
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        self._state = state
        self._era += 1
        self._out = self._good = 0
        self._seconds.clear()
        if self._on_change is not None:
            self._on_change(state)
