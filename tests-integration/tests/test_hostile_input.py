"""Broken input of every kind, at every live service: 4xx in the error form, and nothing of it gets past the edge."""

import asyncio
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import pytest

from chaos import figures
from kit import strict_json
from testkit import hostile

_RESERVE, _STATUS = "subscription/reserve", "subscription/status"
_COMMAND, _STATE = "/4.0/music/v1/player/command", "/4.0/music/v1/player/state"
_UPDATE, _COMMANDS = "/driver/v1/music/v1/player/update", "/driver/v1/music/v1/player/commands"
# Door → service, a path that takes POST, one that takes GET, who calls, as whom.
_DOORS = {
    "maas": ("maas", f"/maas/v1/{_RESERVE}", f"/maas/v1/{_STATUS}", "maas-authproxy", ()),
    "edge": ("maas-authproxy", f"/maas-authproxy/v1/{_RESERVE}", f"/maas-authproxy/v1/{_STATUS}", None, ()),
    "player": ("music", _COMMAND, _STATE, "passenger-authorizer", ("X-YaTaxi-UserId: 1", "X-Yandex-UID: 4000009999")),
    "taximeter": (
        "music",
        _UPDATE,
        _COMMANDS,
        "driver-authproxy",
        ("X-YaTaxi-Park-Id: park-1", "X-YaTaxi-Driver-Profile-Id: driver-1"),
    ),
}


def _target(door: str, stack: Mapping[str, Any]) -> hostile.Target:
    _, post, get, caller, identity = _DOORS[door]
    key = f"X-API-Key: {stack['api_keys']['vtb']}"
    credentials = key if caller is None else f"X-Ya-Service-Ticket: {stack['tickets'][caller]}"
    return hostile.Target(post, get, "\r\n".join((credentials, *identity)))


def _cases(target: hostile.Target) -> Iterator[tuple[str, bytes, tuple[int, ...]]]:
    for name, row in hostile.EVERY_ROW.items():
        yield name, target.bytes_of(row), (400,)
    for number, raw in enumerate(hostile.NO_HTTP):
        yield f"no http {number}", raw, (400,)
    for name, (body, kind, status, _) in hostile.BODIES.items():
        lines = [f"Content-Length: {len(body)}", "Connection: close"] + ([f"Content-Type: {kind}"] if kind else [])
        yield name, target.bytes_of((hostile.ORDER, tuple(lines), body)), (status,)


async def _sent(url: str, raw: bytes) -> tuple[int, Mapping[str, Any]]:
    address = urllib.parse.urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(10):
            writer.write(raw)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return int(head.split(b" ", 2)[1]), json.loads(body)


async def _reached(stack: Mapping[str, Any]) -> float:
    """Requests that maas has seen on the routes in question."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(stack["services"]["maas"]["monitor"] + "/metrics") as response,
    ):
        lines = (await response.text()).splitlines()
    seen = [line for line in lines if line.startswith("http_requests_total{") and "/maas/v1/subscription/" in line]
    return sum(float(line.rpartition(" ")[2]) for line in seen)


def _is_well_formed(row: tuple[bytes, str, int, str]) -> bool:
    body, _, status, _ = row
    try:
        strict_json.loads(body)
    except strict_json.Malformed:
        return False
    return status == 400


@pytest.mark.parametrize("door", list(_DOORS))
async def test_refuses_everything_in_the_error_form(stack: dict[str, Any], door: str) -> None:
    before = await _reached(stack)
    wrong = []
    with figures.timed("wire cases tried") as tried:
        for name, raw, statuses in _cases(_target(door, stack)):
            tried.count += 1
            status, form = await _sent(stack["services"][_DOORS[door][0]]["api"], raw)
            if status not in statuses or not {"code", "message"} <= set(form) <= {"code", "message", "details"}:
                wrong.append((name, status, form))
    assert wrong == []
    assert tried.count > 140
    if door == "edge":
        # The edge reads JSON as strictly as maas; what it lets through is well-formed and wrong for maas alone.
        assert await _reached(stack) == before + sum(map(_is_well_formed, hostile.BODIES.values()))
