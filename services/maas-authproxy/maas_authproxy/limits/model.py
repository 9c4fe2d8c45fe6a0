"""A bucket of tokens as one number, and what a request finds in it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kit import errors
from maas_authproxy.config import Rate

_ROUNDING = 0.001


class RateLimitExceeded(errors.TooMany):
    """Too many requests; the Retry-After header says when to go on."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a bucket stands after a request: `remaining` tokens of `limit`, all of them again in `reset_s` seconds.

    `wait_s` is 0.0 for a request that was let in; for another, how many seconds it came too early.
    """

    limit: int
    remaining: int
    reset_s: float
    wait_s: float = 0.0

    @property
    def headers(self) -> Mapping[str, str]:
        """What the caller is told of it."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(math.ceil(self.reset_s)),
        }


def take(full_at: float, rate: Rate, now: float) -> tuple[Standing, float]:
    """Takes a token from the bucket that will be full at `full_at`: how it stands now, and when it will be full.

    Times are seconds of one clock. A request that is refused takes nothing.
    """
    longest_s = rate.burst / rate.per_second
    before_s = min(max(full_at - now, 0.0), longest_s)
    after_s = before_s + 1 / rate.per_second
    spare = (longest_s - after_s) * rate.per_second
    if spare < -_ROUNDING:
        return Standing(rate.burst, 0, before_s, after_s - longest_s), now + before_s
    return Standing(rate.burst, int(spare + _ROUNDING), after_s), now + after_s
