"""SIGTERM under load fails no request: whatever was taken is answered, and nothing is taken that would not be."""

import asyncio
import collections

import aiohttp
import pytest

from local_stack import Stack
from testkit.waiting import until

_CLIENTS = 16
_WHERE = {"lat_a": "55.733969", "lon_a": "37.587093", "limit": "3"}


@pytest.mark.parametrize(
    ("service", "path"),
    [("maas", "/maas/v1/nearest-metro"), ("maas-authproxy", "/maas-authproxy/v1/nearest-metro")],
)
async def test_answers_everything_it_took(own_stack: Stack, service: str, path: str) -> None:
    stack = own_stack.description
    url = stack["services"][service]["api"] + path
    headers = {"X-Ya-Service-Ticket": stack["tickets"]["maas-authproxy"], "X-API-Key": stack["api_keys"]["vtb"]}
    seen: collections.Counter[str] = collections.Counter()
    stopping = asyncio.Event()
    clients = [asyncio.create_task(_load(url, headers, seen, stopping)) for _ in range(_CLIENTS)]
    await until(lambda: seen["200"] >= 10 * _CLIENTS, timeout_s=30)
    stopping.set()
    try:
        await asyncio.to_thread(own_stack.stop_part, service)
        await asyncio.gather(*clients)
    finally:
        await asyncio.to_thread(own_stack.start_part, service)
    assert seen.pop("200") > 10 * _CLIENTS
    # A client finds the door closed once, at its end; nothing that was let in was dropped or refused.
    assert seen == {"closed": _CLIENTS}


async def _load(url: str, headers: dict[str, str], seen: collections.Counter[str], stopping: asyncio.Event) -> None:
    async with aiohttp.ClientSession(headers=headers) as http:
        while True:
            try:
                async with http.get(url, params=_WHERE) as response:
                    await response.read()
                    seen[str(response.status)] += 1
            except aiohttp.ClientConnectorError:
                seen["closed" if stopping.is_set() else "refused"] += 1
                return
            except (aiohttp.ClientError, OSError) as error:
                seen[type(error).__name__] += 1
                return
