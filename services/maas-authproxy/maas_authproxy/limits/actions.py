"""Counting requests against the rates of the config in force."""

import time
from array import array
from collections.abc import Callable

from kit import dynconf, metrics
from maas_authproxy.config import FAILURES, LIMITS, Rate
from maas_authproxy.limits import model

SLOTS = 4096
STRANGER = "-"

_LIMITED = metrics.counter("maas_authproxy_limited_total", "Requests that a rate refused, by partner", ("partner",))


class Limiter:
    """The buckets of one process: one for each partner, and `SLOTS` for all addresses that bring bad keys.

    Addresses that share a slot share its tokens: they lose a 401 to a 429, and good keys are never asked for one.
    """

    def __init__(self, dynamic: dynconf.Configs, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._dynamic = dynamic
        self._clock = clock
        self._partners: dict[str, float] = {}
        self._addresses = array("d", bytes(SLOTS * 8))

    def count(self, partner: str, rate: Rate | None) -> model.Standing:
        """How the partner stands after one more request; None for a partner without a rate of its own."""
        full_at = self._partners.get(partner, 0.0)
        found, self._partners[partner] = model.take(full_at, rate or self._dynamic.get(LIMITS), self._clock())
        if found.wait_s:
            _LIMITED.labels(partner).inc()
        return found

    def count_failure(self, address: str) -> None:
        """Notes a bad key from this address; RateLimitExceeded when there were too many."""
        slot = hash(address) % SLOTS
        found, self._addresses[slot] = model.take(self._addresses[slot], self._dynamic.get(FAILURES), self._clock())
        if found.wait_s:
            _LIMITED.labels(STRANGER).inc()
            raise model.RateLimitExceeded(retry_after_s=round(found.wait_s, 3))
