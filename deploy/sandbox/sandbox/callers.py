"""The world as a caller of our services: the right ticket or key per caller, and the retries that a real one makes."""

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import yarl

from sandbox import wire

ATTEMPTS = 3
TIMEOUT_S = 2.0
FORWARD_TIMEOUT_S = 15.0
EDGE = "maas-authproxy"
_FIRST_PAUSE_S = 0.1
_AGAIN = frozenset({429, 500, 502, 503, 504})


class NoAnswer(Exception):
    """The service gave no answer that can be used; `status` is what a gateway says then.

    503: it was not reached, so nothing was done; 504 and 502: what it did is unknown.
    """

    def __init__(self, service: str, status: int) -> None:
        super().__init__(service)
        self.status = status


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered; `payload` is its JSON."""

    status: int
    payload: dict[str, Any]

    @property
    def is_ok(self) -> bool:
        """True when the service did what it was asked."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The fact that a refusal names."""
        return str(self.payload.get("code", f"status_{self.status}"))


@dataclass(frozen=True, slots=True)
class Sent:
    """A request for a service, `path` raw with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    timeout_s: float = FORWARD_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Forwarded:
    """An answer as it came, for a gateway to pass on."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def json_of(service: str, answer: Forwarded) -> Reply:
    """The answer as JSON; NoAnswer when it is not an object."""
    try:
        payload = json.loads(answer.body)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise NoAnswer(service, 502)
    return Reply(answer.status, payload)


class Callers:
    """Calls `services` (name → base URL) with `tickets` (caller → token), or as a partner with `api_keys`."""

    def __init__(
        self, services: Mapping[str, str], tickets: Mapping[str, str], api_keys: Mapping[str, str] | None = None
    ) -> None:
        self._services = dict(services)
        self._tickets = dict(tickets)
        self._api_keys = dict(api_keys or {})
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Opens the connections' pool."""
        # Held polls are many at once, each on a connection of its own.
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()

    async def post(self, caller: str, service: str, path: str, body: Mapping[str, Any]) -> Reply:
        """Posts as `caller`, up to three times; NoAnswer when the last attempt gave nothing usable."""
        return await self._post(service, path, body, {wire.TICKET: self._tickets[caller]})

    def is_partner(self, partner: str) -> bool:
        """True when `partner` has a key and knows where the public edge is."""
        return partner in self._api_keys and EDGE in self._services

    async def post_as_partner(self, partner: str, path: str, body: Mapping[str, Any]) -> Reply:
        """Posts through the public edge with the partner's key, up to three times; NoAnswer as in `post`."""
        return await self._post(EDGE, path, body, {wire.API_KEY: self._api_keys.get(partner, "")})

    async def get(self, caller: str, service: str, path: str, query: Mapping[str, str]) -> Reply:
        """Asks as `caller`, once; NoAnswer when there was nothing usable."""
        sent = Sent("GET", str(yarl.URL(path).with_query(query)), {}, timeout_s=TIMEOUT_S)
        return json_of(service, await self.forward(caller, service, sent))

    async def forward(self, caller: str, service: str, sent: Sent) -> Forwarded:
        """Passes a request on once; NoAnswer when there was none."""
        url = yarl.URL(self._base(service) + sent.path, encoded=True)
        headers = {**sent.headers, wire.TICKET: self._tickets[caller]}
        timeout = aiohttp.ClientTimeout(total=sent.timeout_s)
        try:
            async with self._open().request(
                sent.method, url, headers=headers, data=sent.body or None, timeout=timeout, allow_redirects=False
            ) as response:
                return Forwarded(response.status, await response.read(), response.headers.copy())
        except aiohttp.ClientConnectorError:
            raise NoAnswer(service, 503) from None
        except TimeoutError:
            raise NoAnswer(service, 504) from None
        except aiohttp.ClientError:
            raise NoAnswer(service, 502) from None

    async def _post(self, service: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
        url = self._base(service) + path
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0))  # noqa: S311
            reply = await self._post_once(url, body, headers)
            if reply is not None and reply.status not in _AGAIN:
                return reply
        raise NoAnswer(service, 503)

    async def _post_once(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Reply | None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with self._open().post(url, json=body, headers=headers, timeout=timeout) as response:
                payload = await response.json(content_type=None)
                return Reply(response.status, payload) if isinstance(payload, dict) else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    def _base(self, service: str) -> str:
        try:
            return self._services[service]
        except KeyError:
            raise NoAnswer(service, 503) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("callers are used before start()")
        return self._session
