"""The line of a taximeter: requests through the driver's gateway, that end in time and never come in floods."""

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from sandbox import callers, inside, world
from sandbox.music import records
from sandbox.neighbours import driver_authproxy

TIMEOUT_S = 5.0
_PATH = "/driver/v1/music/v1/player/"


class Line:
    """One driver's line to music; while it is cut nothing goes out and what was under way is lost."""

    def __init__(self, here: world.World, driver: records.Driver) -> None:
        self._world = here
        self._driver = driver
        self._cut = asyncio.Event()
        self._whole = asyncio.Event()
        self._whole.set()

    @property
    def is_whole(self) -> bool:
        """False while the taximeter is offline."""
        return self._whole.is_set()

    def cut(self) -> None:
        """The taximeter is offline from now on."""
        self._whole.clear()
        self._cut.set()

    def mend(self) -> None:
        """It is online again."""
        self._cut.clear()
        self._whole.set()

    async def whole(self) -> None:
        """Returns when the taximeter is online."""
        await self._whole.wait()

    async def get(self, name: str, query: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> callers.Reply:
        """Asks music; NoAnswer when there was none. Waits until the line is whole."""
        return await self._ask("GET", name, query, None, timeout_s)

    async def post(self, name: str, body: Mapping[str, Any]) -> callers.Reply:
        """Tells music; NoAnswer when there was none. Waits until the line is whole."""
        return await self._ask("POST", name, {}, body, TIMEOUT_S)

    async def _ask(
        self, method: str, name: str, query: Mapping[str, str], body: Mapping[str, Any] | None, timeout_s: float
    ) -> callers.Reply:
        await self.whole()
        asking = asyncio.ensure_future(self._through_gateway(method, name, query, body, timeout_s))
        cut = asyncio.ensure_future(self._cut.wait())
        try:
            await asyncio.wait((asking, cut), timeout=timeout_s + 1, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise callers.NoAnswer("music", 504)
            return asking.result()
        finally:
            asking.cancel()
            cut.cancel()

    async def _through_gateway(
        self, method: str, name: str, query: Mapping[str, str], body: Mapping[str, Any] | None, timeout_s: float
    ) -> callers.Reply:
        gateway, path = driver_authproxy.NEIGHBOUR, _PATH + name
        asked = inside.Asked(gateway.name, method, path, query, body, gateway.refusal)
        headers = dict(driver_authproxy.identity(self._driver))
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent = callers.Sent(
            method=method,
            path=f"{path}?{urlencode(query)}" if query else path,
            headers=headers,
            body=b"" if body is None else json.dumps(body).encode(),
            timeout_s=timeout_s,
        )

        async def work() -> callers.Reply:
            return callers.json_of("music", await self._world.services.forward(gateway.name, "music", sent))

        return await inside.ask(self._world, asked, work)


class Backoff:
    """Growing pauses between attempts, with jitter."""

    def __init__(self, first_s: float = 0.2, most_s: float = 5.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._failures = 0

    def reset(self) -> None:
        """It went well: the next pause is short again."""
        self._failures = 0

    async def pause(self, most_s: float | None = None) -> None:
        """Waits before the next attempt."""
        longest = self._most_s if most_s is None else most_s
        pause_s = min(longest, self._first_s * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter is no secret
