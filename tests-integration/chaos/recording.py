"""What clients did and what came of it, written down in the order of its begins and ends."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import aiohttp

from chaos.linearizability import Operation, type_of_answer
from journeys.world import Answer

DID_NOT_HAPPEN: type_of_answer = ("did not happen",)
A = TypeVar("A", bound=Hashable)


class Recording:
    """The clock of a history, and how often what came out.

    With `over_after_s` it is sure that nothing comes any more of a call whose caller gave up so long ago.
    """

    def __init__(self, over_after_s: float | None = None) -> None:
        self._time = itertools.count()
        self._over_after_s = over_after_s
        self._forsaken: list[tuple[float, Callable[[int], None]]] = []
        self.outcomes: Counter[str] = Counter()

    async def write(
        self, history: list[Operation[A]], action: A, call: Callable[[], Awaitable[type_of_answer | None]]
    ) -> type_of_answer | None:
        """Writes one call into a history, unless it surely did not happen; None when nobody knows its outcome."""
        begin = next(self._time)
        try:
            said = await call()
        except asyncio.CancelledError:
            history.append(Operation(action, begin))
            raise
        end = next(self._time)
        self._end_forsaken()
        self.outcomes["unknown" if said is None else str(said[0])] += 1
        if said != DID_NOT_HAPPEN:
            history.append(Operation(action, begin, None if said is None else end, said))
        if said is None and self._over_after_s is not None:
            place = len(history) - 1

            def end_at(end: int) -> None:
                history[place] = replace(history[place], end=end)

            self._forsaken.append((time.monotonic() + self._over_after_s, end_at))
        return said

    def _end_forsaken(self) -> None:
        now = time.monotonic()
        over = [end_at for at, end_at in self._forsaken if at <= now]
        self._forsaken = [each for each in self._forsaken if each[0] > now]
        for end_at in over:
            end_at(next(self._time))


async def once(
    http: aiohttp.ClientSession, method: str, url: str, body: Any, headers: Mapping[str, str], timeout_s: float
) -> Answer:
    """A call that is made once.

    Status 0 is no answer within the time; without a connection nothing was asked, which is as good as a 503. Of a GET
    that can't be said: aiohttp sends it again by itself when the connection ends that it kept open.
    """
    limit = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with http.request(method, url, json=body, headers=headers, timeout=limit) as response:
            return Answer(response.status, await response.json() if response.status != 304 else None)
    except aiohttp.ClientConnectorError as error:
        return Answer(0 if method == "GET" else 503, type(error).__name__)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return Answer(0, type(error).__name__)
