"""A retry budget: however sick a neighbour is, it gets at most a tenth more calls than we were asked for."""


class Budget:
    """A token bucket of at most `burst` tokens: each call puts in `ratio` of one, each retry takes one out."""

    __slots__ = ("_burst", "_ratio", "_tokens")

    def __init__(self, ratio: float = 0.1, burst: float = 5) -> None:
        self._ratio = ratio
        self._burst = burst
        self._tokens = burst

    def note_call(self) -> None:
        """Counts a call that is not a retry."""
        self._tokens = min(self._burst, self._tokens + self._ratio)

    def take(self) -> bool:
        """True when one more retry is affordable, and then it is paid for."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
