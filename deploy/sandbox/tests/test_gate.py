"""What every call passes: ticket, contract, journal."""

import json
from typing import Any

import pytest

BULK = "/personal/v1/phones/bulk_store"
GOOD = {"validate": True, "items": [{"value": "+79161234567"}]}
GENERATE = {"token": "t", "series_id": "s", "yandex_uids": ["1"], "rides": 1, "service": "maas"}
RIDE = {"ride_id": "o", "pass_id": "p", "maas_user_id": "m", "cost": {"amount": "1.00", "currency": "RUB"}}
JSON = {"Content-Type": "application/json"}

BROKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", BULK, {"json": GOOD | {"extra": 1}}),
    ("POST", BULK, {"json": {"items": GOOD["items"]}}),
    ("POST", BULK, {"json": GOOD | {"validate": "yes"}}),
    ("POST", BULK, {"json": GOOD | {"items": []}}),
    ("POST", BULK, {"json": GOOD | {"items": [{"value": 79161234567}]}}),
    ("POST", BULK, {"json": [GOOD]}),
    ("POST", BULK, {"data": json.dumps(GOOD), "headers": {"Content-Type": "text/plain"}}),
    ("POST", BULK, {"data": b"{", "headers": JSON}),
    ("POST", BULK, {"data": b" " * (1 << 19), "headers": JSON}),
    ("POST", BULK, {"data": b'{"validate": true, "validate": true, "items": []}', "headers": JSON}),
    ("POST", BULK + "?x=1", {"json": GOOD}),
    ("GET", BULK, {}),
    ("POST", "/personal/v2/phones/bulk_store", {"json": GOOD}),
    ("POST", "/user-api/user_phones/by_personal/retrieve", {"json": {"personal_phone_id": "a", "type": "uber"}}),
    ("GET", "/zalogin/v1/internal/phone-info", {}),
    ("GET", "/zalogin/v1/internal/phone-info?phone_id=a&phone_id=b", {}),
    ("GET", "/zalogin/v1/internal/uid-info?yandex_uid=alice", {}),
    ("GET", "/masstransit/v2/stops", {}),
    ("POST", "/vtb/users", {"json": {"phone": "89161234567"}}),
    ("GET", "/vtb/tariffs", {"json": {}}),
    ("POST", "/vtb/rides/taxi", {"json": RIDE | {"finished_at": "2026-11-20T10:00:00", "taxi_rides_left": 1}}),
    ("POST", "/vtb/rides/taxi", {"json": RIDE | {"finished_at": "2026-11-20T10:00:00+00:00", "taxi_rides_left": 1.0}}),
    ("POST", "/coupons/internal/generate", {"json": GENERATE | {"expires_at": 1}}),
    ("POST", "/coupons/internal/generate", {"json": GENERATE | {"expires_at": "2099-01-01T00:00:00Z", "rides": True}}),
    ("POST", "/coupons/internal/deactivate", {"json": {"promocode": "METRO1"}}),
]


@pytest.mark.parametrize(("method", "path", "request_"), BROKEN)
async def test_refuses_and_counts_a_broken_contract(sandbox: Any, method: str, path: str, request_: Any) -> None:
    status, answer = await sandbox.call(method, path, **request_)
    assert (status, answer["code"]) == (400, "contract_violation")
    assert answer["details"]["fields"]
    neighbour = path.split("/")[1]
    stats = await sandbox.ok("GET", "/_stats", None)
    assert stats["contract_violations"] == {neighbour: 1}
    assert stats["violations"][0]["reasons"] == answer["details"]["fields"]


async def test_refuses_a_call_without_a_good_ticket(sandbox: Any) -> None:
    for headers in ({}, {"X-Ya-Service-Ticket": "forged"}):
        status, answer = await sandbox.call("POST", BULK, None, json=GOOD, headers=headers)
        assert (status, answer["code"]) == (401, "ticket_invalid")
    status, answer = await sandbox.call("POST", BULK, "music", json=GOOD)
    assert (status, answer["code"]) == (403, "caller_not_allowed")
    assert (await sandbox.ok("GET", "/_stats", None))["tickets_refused"] == {"personal": 3}


async def test_remembers_every_call(sandbox: Any) -> None:
    await sandbox.ok("POST", BULK, json=GOOD)
    await sandbox.ok("GET", "/vtb/tariffs")
    calls = (await sandbox.ok("GET", "/_log", None))["calls"]
    assert [call["neighbour"] for call in calls] == ["personal", "vtb"]
    assert {name: calls[0][name] for name in ("method", "path", "status", "caller", "body", "fault")} == {
        "method": "POST",
        "path": BULK,
        "status": 200,
        "caller": "maas",
        "body": GOOD,
        "fault": None,
    }
    assert (await sandbox.ok("GET", "/_stats", None))["calls"] == {"personal": 1, "vtb": 1}


async def test_filters_the_log(sandbox: Any) -> None:
    await sandbox.ok("POST", BULK, json=GOOD)
    [first] = (await sandbox.ok("GET", "/_log", None))["calls"]
    await sandbox.ok("GET", "/vtb/tariffs")

    async def found(query: str) -> list[str]:
        return [call["neighbour"] for call in (await sandbox.ok("GET", f"/_log?{query}", None))["calls"]]

    assert await found("neighbour=vtb") == ["vtb"]
    assert await found("neighbour=&since=") == ["personal", "vtb"]
    assert await found(f"since={first['seq']}") == ["vtb"]
    assert await found(f"since={first['time']}") == ["personal", "vtb"]
    assert await found("since=2099-01-01T00:00:00%2B00:00") == []
    assert (await sandbox.call("GET", "/_log?since=yesterday", None))[0] == 400


async def test_forgets_everything_on_reset(sandbox: Any) -> None:
    person = await sandbox.person()
    await sandbox.promocode(person)
    await sandbox.ok("PUT", "/_faults/vtb", None, json={"mode": "error"})
    await sandbox.ok("POST", "/_reset", None)
    assert (await sandbox.ok("GET", "/_log", None))["calls"] == []
    assert (await sandbox.ok("GET", "/_faults", None))["faults"] == {}
    assert (await sandbox.call("GET", f"/zalogin/v1/internal/phone-info?phone_id={person['phone_id']}"))[0] == 404


async def test_answers_in_the_error_form_outside_of_the_contracts_too(sandbox: Any) -> None:
    assert await sandbox.ok("GET", "/ping", None) == {"status": "ok"}
    assert (await sandbox.call("GET", "/nowhere", None)) == (404, {"code": "not_found", "message": "Not Found."})
    assert (await sandbox.call("POST", "/ping", None))[0] == 405
    assert (await sandbox.call("POST", "/_people", None, data=b" " * (1 << 19), headers=JSON))[0] == 413
