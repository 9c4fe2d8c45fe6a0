"""Every fault, as it looks on the wire."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

TARIFFS = "/vtb/tariffs"


async def order(sandbox: Any, neighbour: str = "vtb", **fault: Any) -> None:
    await sandbox.ok("PUT", f"/_faults/{neighbour}", None, json=fault)


async def test_resets_the_connection_when_down(sandbox: Any) -> None:
    await order(sandbox, mode="down")
    host, port = sandbox.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {TARIFFS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    [call] = (await sandbox.ok("GET", "/_log", None))["calls"]
    assert (call["fault"], call["status"]) == ("down", None)


async def test_answers_late_when_slow(sandbox: Any) -> None:
    await order(sandbox, mode="slow", delay_ms=150)
    began = time.monotonic()
    await sandbox.ok("GET", TARIFFS)
    assert time.monotonic() - began >= 0.14


async def test_fails_with_500_on_error(sandbox: Any) -> None:
    await order(sandbox, mode="error")
    status, answer = await sandbox.call("GET", TARIFFS)
    assert (status, answer["code"]) == (500, "internal_error")


async def test_says_when_to_come_again_on_too_many(sandbox: Any) -> None:
    await order(sandbox, mode="too_many")
    async with sandbox.http.get(sandbox.url + TARIFFS) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "1"


async def test_answers_garbage_after_the_work_was_done(sandbox: Any) -> None:
    person = await sandbox.person()
    await order(sandbox, "coupons", mode="garbage")
    with pytest.raises(ValueError, match="Expecting value"):
        await sandbox.promocode(person)
    assert len(sandbox.world.store.state.promocodes) == 1
    [call] = (await sandbox.ok("GET", "/_log?neighbour=coupons", None))["calls"]
    assert (call["fault"], call["status"]) == ("garbage", 200)


async def test_loses_the_end_of_the_answer_after_the_work_was_done(sandbox: Any) -> None:
    person = await sandbox.person()
    await order(sandbox, "coupons", mode="truncated", times=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await sandbox.promocode(person)
    [code] = sandbox.world.store.state.promocodes
    assert (await sandbox.promocode(person))[1]["promocode"] == code


@pytest.mark.parametrize(
    ("neighbour", "method", "path", "body", "expected"),
    [
        ("vtb", "GET", TARIFFS, None, (409, "refused_by_bank")),
        ("personal", "POST", "/personal/v1/phones/retrieve", {"id": "a"}, (400, "invalid_phone")),
        ("zalogin", "GET", "/zalogin/v1/internal/uid-info?yandex_uid=1", None, (404, "not_found")),
        ("masstransit", "GET", "/masstransit/v2/stops?type=metro", None, (403, "access_denied")),
    ],
)
async def test_refuses_in_the_neighbours_own_words(
    sandbox: Any, neighbour: str, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    await order(sandbox, neighbour, mode="refuse")
    status, answer = await sandbox.call(method, path, **({"json": body} if body else {}))
    assert (status, answer["code"]) == expected


async def test_checks_the_contract_of_a_refused_call_too(sandbox: Any) -> None:
    await order(sandbox, mode="refuse")
    assert (await sandbox.call("GET", TARIFFS + "?page=1"))[1]["code"] == "contract_violation"


async def test_fails_the_ordered_share_of_the_calls(sandbox: Any) -> None:
    await order(sandbox, mode="error", share=0.25)
    statuses = [(await sandbox.call("GET", TARIFFS))[0] for _ in range(8)]
    assert statuses == [200, 200, 200, 500] * 2


async def test_fails_the_ordered_number_of_times(sandbox: Any) -> None:
    await order(sandbox, mode="error", times=2)
    assert [(await sandbox.call("GET", TARIFFS))[0] for _ in range(4)] == [500, 500, 200, 200]


async def test_heals(sandbox: Any) -> None:
    for heal in (("PUT", "/_faults/vtb", {"json": {"mode": "ok"}}), ("DELETE", "/_faults", {})):
        await order(sandbox, mode="error")
        assert (await sandbox.call("GET", TARIFFS))[0] == 500
        method, path, request = heal
        assert (await sandbox.ok(method, path, None, **request))["faults"] == {}
        assert (await sandbox.call("GET", TARIFFS))[0] == 200


async def test_leaves_the_others_and_the_operators_doors_alone(sandbox: Any) -> None:
    await order(sandbox, mode="error")
    assert (await sandbox.call("GET", "/vtb/_rides", None))[0] == 200
    assert (await sandbox.call("GET", "/masstransit/v2/stops?type=metro"))[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/_faults/vtb", {"mode": "angry"}, 400),
        ("/_faults/vtb", {"mode": "error", "share": 2}, 400),
        ("/_faults/vtb", {"mode": "error", "times": 0}, 400),
        ("/_faults/moon", {"mode": "error"}, 404),
    ],
)
async def test_takes_no_order_that_makes_no_sense(sandbox: Any, path: str, body: Any, status: int) -> None:
    assert (await sandbox.call("PUT", path, None, json=body))[0] == status
