"""The gateway: identity goes on, claims do not."""

import asyncio
from typing import Any

import pytest
import yarl

INFO = "/4.0/maas/v1/subscription/info"


def bearer(person: dict[str, str], **headers: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {person['session']}", **headers}}


async def test_says_who_the_person_is(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person(yandex_uid="4001", uid_kind="phonish")
    await sandbox.person(yandex_uid="4002")
    await sandbox.ok("GET", f"/passenger{INFO}?lang=ru", None, **bearer(person))
    [call] = maas.seen
    assert (call.path, call.caller) == (f"{INFO}?lang=ru", "passenger-authorizer")
    assert call.headers["X-Yandex-UID"] == "4001"
    assert call.headers["X-YaTaxi-PhoneId"] == person["phone_id"]
    assert call.headers["X-YaTaxi-User"] == f"personal_phone_id={person['personal_phone_id']}"
    assert call.headers["X-YaTaxi-Pass-Flags"] == "phonish"
    assert call.headers["X-YaTaxi-Bound-Uids"] == "4002"
    assert call.headers["X-Remote-IP"] == "127.0.0.1"
    assert call.headers["X-Request-Language"] == "ru"
    assert len(call.headers["X-YaTaxi-UserId"]) == 32


async def test_drops_what_the_app_claims(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person(yandex_uid="4001")
    claims = {"X-Yandex-UID": "1", "X-YaTaxi-Pass-Flags": "staff", "X-Maas-Partner": "vtb", "X-Remote-IP": "8.8.8.8"}
    await sandbox.ok("GET", f"/passenger{INFO}", None, **bearer(person, **claims))
    sent = maas.seen[0].headers
    assert (sent["X-Yandex-UID"], sent["X-YaTaxi-Pass-Flags"]) == ("4001", "portal")
    assert "X-Maas-Partner" not in sent
    assert "Authorization" not in sent


async def test_passes_bodies_keys_and_refusals(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    path = "/4.0/maas/v1/purchase/start"
    maas.answer(path, 409, {"code": "phone_required", "message": "No phone."})
    headers = {"X-Idempotency-Token": "k1", "X-YaRequestId": "r1", "Accept-Language": "en-GB"}
    status, answer = await sandbox.call(
        "POST", f"/passenger{path}", None, json={"tariff_id": "t"}, **bearer(person, **headers)
    )
    assert (status, answer["code"]) == (409, "phone_required")
    [call] = maas.seen
    assert call.body == {"tariff_id": "t"}
    assert (call.headers["X-Idempotency-Token"], call.headers["X-YaRequestId"]) == ("k1", "r1")
    assert call.headers["X-Request-Language"] == "en"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}, {"Authorization": "Basic x"}])
async def test_lets_nobody_in_without_a_session(sandbox: Any, maas: Any, headers: Any) -> None:
    status, answer = await sandbox.call("GET", f"/passenger{INFO}", None, headers=headers)
    assert (status, answer["code"]) == (401, "unauthorized")
    assert maas.seen == []


@pytest.mark.parametrize("path", ["/maas/v1/rides/hold", "/4.0/other", "/4.0/maas/%2e%2e/maas/v1/rides/hold"])
async def test_forwards_only_what_passengers_own(sandbox: Any, maas: Any, path: str) -> None:
    person = await sandbox.person()
    url = yarl.URL(sandbox.url + "/passenger" + path, encoded=True)
    async with sandbox.http.get(url, headers=bearer(person)["headers"]) as response:
        assert response.status == 404
    assert maas.seen == []


async def test_says_that_the_service_is_away(start: Any) -> None:
    sandbox = await start(services={"maas": "http://127.0.0.1:9"})
    person = await sandbox.person()
    for path in (INFO, "/4.0/plus/v1/subscriptions/info"):
        status, answer = await sandbox.call("GET", f"/passenger{path}", None, **bearer(person))
        assert (status, answer["code"]) == (503, "service_unavailable")


async def test_says_that_the_outcome_is_unknown(start: Any) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        sandbox = await start(services={"maas": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"})
        person = await sandbox.person()
        path = "/passenger/4.0/maas/v1/user/register"
        status, answer = await sandbox.call("POST", path, None, json={}, **bearer(person))
    assert (status, answer["code"]) == (502, "bad_service")


async def test_lets_no_inner_header_out(sandbox: Any) -> None:
    person = await sandbox.person()
    async with sandbox.http.get(sandbox.url + f"/passenger{INFO}", headers=bearer(person)["headers"]) as response:
        assert "X-Secret" not in response.headers
