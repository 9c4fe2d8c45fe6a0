"""What the gateways do for music: held polls, versions, drivers' identity."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import test_utils, web

from testkit import waiting

STATE = "/4.0/music/v1/player/state"


class Screen:
    """A music that answers 304 to who has version 7, after `wait_ms`."""

    def __init__(self) -> None:
        self.waiting = 0
        self.done = 0
        self.seen: list[web.Request] = []

    async def serve(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        self.waiting += 1
        try:
            await asyncio.sleep(int(request.query.get("wait_ms", "0")) / 1000)
        finally:
            self.waiting -= 1
        self.done += 1
        if request.headers.get("If-None-Match") == '"7"':
            return web.Response(status=304, headers={"ETag": '"7"'})
        return web.json_response({"version": 7}, headers={"ETag": '"7"'})


@pytest.fixture
async def screen() -> AsyncIterator[tuple[Screen, str]]:
    found = Screen()
    site = web.Application()
    site.router.add_route("*", "/{tail:.*}", found.serve)
    async with test_utils.TestServer(site) as server:
        yield found, str(server.make_url("")).rstrip("/")


@pytest.fixture
async def app(screen: tuple[Screen, str], start: Any) -> tuple[Any, dict[str, str]]:
    sandbox = await start(services={"music": screen[1]})
    person = await sandbox.person(has_plus=True)
    return sandbox, {"Authorization": f"Bearer {person['session']}"}


async def test_passes_the_version_both_ways(screen: Any, app: Any) -> None:
    sandbox, headers = app
    async with sandbox.http.get(f"{sandbox.url}/passenger{STATE}", headers=headers) as response:
        assert (response.status, response.headers["ETag"]) == (200, '"7"')
    known = headers | {"If-None-Match": '"7"'}
    async with sandbox.http.get(f"{sandbox.url}/passenger{STATE}", headers=known) as response:
        assert (response.status, response.headers["ETag"]) == (304, '"7"')
        assert await response.read() == b""
        assert "Content-Type" not in response.headers
    assert screen[0].seen[-1].headers["X-YaTaxi-Pass-Flags"] == "portal,ya-plus"


async def test_leaves_the_connection_usable_after_304(app: Any) -> None:
    sandbox, headers = app
    host, port = sandbox.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = f'GET /passenger{STATE} HTTP/1.1\r\nHost: x\r\nIf-None-Match: "7"\r\n'
    request += f"Authorization: {headers['Authorization']}\r\n\r\n"
    for _ in range(2):
        writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 304")
    writer.close()
    await writer.wait_closed()


async def test_holds_a_poll_longer_than_other_requests(screen: Any, app: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("sandbox.callers.FORWARD_TIMEOUT_S", 0.1)
    sandbox, headers = app
    path = f"/passenger{STATE}?order_id=o&wait_ms=400"
    assert (await sandbox.call("GET", path, None, headers=headers))[1] == {"version": 7}
    assert screen[0].seen[-1].query["wait_ms"] == "400"


async def test_gives_up_a_poll_whose_client_has_gone(screen: Any, app: Any) -> None:
    sandbox, headers = app
    timeout = aiohttp.ClientTimeout(total=0.3)
    with pytest.raises(TimeoutError):
        await sandbox.http.get(f"{sandbox.url}/passenger{STATE}?wait_ms=20000", headers=headers, timeout=timeout)
    await waiting.until(lambda: screen[0].waiting == 0, timeout_s=2)
    assert screen[0].done == 0


async def test_sees_a_change_through_though_its_client_has_gone(screen: Any, app: Any) -> None:
    sandbox, headers = app
    timeout = aiohttp.ClientTimeout(total=0.2)
    path = f"{sandbox.url}/passenger/4.0/music/v1/player/command?wait_ms=800"
    with pytest.raises(TimeoutError):
        await sandbox.http.post(path, headers=headers, json={}, timeout=timeout)
    await waiting.until(lambda: screen[0].done == 1)


async def test_holds_many_polls_at_once(screen: Any, app: Any) -> None:
    sandbox, headers = app
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as http:
        asked = [asyncio.ensure_future(http.get(f"{sandbox.url}/passenger{STATE}?wait_ms=1500")) for _ in range(150)]
        await waiting.until(lambda: screen[0].waiting == 150)
        for answer in await asyncio.gather(*asked):
            assert answer.status == 200
            answer.release()


async def driver(sandbox: Any, **fields: Any) -> dict[str, str]:
    return dict(await sandbox.ok("POST", "/_drivers", None, json=fields))


async def test_says_who_the_driver_is_and_drops_claims(screen: Any, app: Any) -> None:
    sandbox, _ = app
    made = await driver(sandbox, driver_profile_id="driver-1", park_id="park-1", application_version="9.81")
    claims = {"X-YaTaxi-Park-Id": "other", "X-YaTaxi-Driver-Profile-Id": "other", "X-Yandex-UID": "1"}
    headers = {"Authorization": f"Bearer {made['session']}", **claims}
    path = "/driver/v1/music/v1/player/update"
    await sandbox.ok("POST", path, None, json={"a": 1}, headers=headers)
    sent = screen[0].seen[-1]
    assert (sent.path, sent.method) == (path, "POST")
    assert sent.headers["X-YaTaxi-Park-Id"] == "park-1"
    assert sent.headers["X-YaTaxi-Driver-Profile-Id"] == "driver-1"
    assert sent.headers["X-Request-Application"] == "taximeter"
    assert sent.headers["X-Request-Application-Version"] == "9.81"
    assert "X-Yandex-UID" not in sent.headers
    assert "Authorization" not in sent.headers


async def test_lets_no_driver_in_without_a_session(screen: Any, app: Any) -> None:
    sandbox, headers = app
    for wrong in ({}, headers, {"Authorization": "Bearer nobody"}):
        status, answer = await sandbox.call("GET", "/driver/v1/music/v1/player/commands", None, headers=wrong)
        assert (status, answer["code"]) == (401, "unauthorized")
    made = await driver(sandbox)
    own = {"Authorization": f"Bearer {made['session']}"}
    assert (await sandbox.call("GET", "/driver/v1/other", None, headers=own))[0] == 404
    assert (await sandbox.call("PUT", "/driver/v1/music/v1/player/update", None, headers=own))[0] == 405
    assert screen[0].seen == []


async def test_makes_a_driver_once(app: Any) -> None:
    sandbox, _ = app
    first = await driver(sandbox, driver_profile_id="driver-1")
    assert await driver(sandbox, driver_profile_id="driver-1") == first
    assert await driver(sandbox) != await driver(sandbox)
    again = {"driver_profile_id": "driver-1", "park_id": "park-2"}
    assert (await sandbox.call("POST", "/_drivers", None, json=again))[1]["code"] == "driver_of_another_park"


async def test_keeps_plus_until_it_is_told_otherwise(screen: Any, app: Any) -> None:
    sandbox, headers = app
    for changes, flags in (({}, "portal,ya-plus"), ({"has_plus": False}, "portal"), ({}, "portal")):
        await sandbox.person(**changes)
        await sandbox.ok("GET", f"/passenger{STATE}", None, headers=headers)
        assert screen[0].seen[-1].headers["X-YaTaxi-Pass-Flags"] == flags
