"""Many timeouts for the price of one timer: what ends within the same 50 ms is woken together, never late."""

import asyncio

STEP_S = 0.05


class Wheel:
    """Futures that are given None when their time is up; a timer runs only while there are some."""

    def __init__(self) -> None:
        self._due: dict[int, set[asyncio.Future[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, waiter: "asyncio.Future[None]", timeout_s: float) -> int:
        """Wakes `waiter` after `timeout_s` or up to 50 ms earlier; the place to give to `remove`."""
        loop = asyncio.get_running_loop()
        place = int((loop.time() + timeout_s) / STEP_S)
        self._due.setdefault(place, set()).add(waiter)
        if self._timer is None:
            self._timer = loop.call_later(STEP_S, self._turn)
        return place

    def remove(self, waiter: "asyncio.Future[None]", place: int) -> None:
        """Forgets a waiter that has stopped waiting, woken by this or not."""
        if (together := self._due.get(place)) is not None:
            together.discard(waiter)
            if not together:
                del self._due[place]

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        now = int(loop.time() / STEP_S)
        for place in [place for place in self._due if place <= now]:
            for waiter in self._due.pop(place):
                if not waiter.done():
                    waiter.set_result(None)
        self._timer = loop.call_later(STEP_S, self._turn) if self._due else None
