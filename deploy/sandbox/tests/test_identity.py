"""personal, user-api and zalogin: who is behind a phone."""

from typing import Any

import pytest

BULK = "/personal/v1/phones/bulk_store"
BY_PERSONAL = "/user-api/user_phones/by_personal/retrieve"


def stored(*phones: str) -> dict[str, Any]:
    return {"validate": True, "items": [{"value": phone} for phone in phones]}


async def test_gives_the_same_id_for_the_same_phone_in_every_world(sandbox: Any, start: Any) -> None:
    first = await sandbox.ok("POST", BULK, json=stored("+79161234567", "+79160000000"))
    again = await (await start()).ok("POST", BULK, json=stored("+79161234567"))
    assert first["items"][0] == again["items"][0]
    assert first["items"][0]["id"] != first["items"][1]["id"]
    assert len(first["items"][0]["id"]) == 32


async def test_turns_an_id_back_into_its_phone(sandbox: Any) -> None:
    item = (await sandbox.ok("POST", BULK, json=stored("+79161234567")))["items"][0]
    assert await sandbox.ok("POST", "/personal/v1/phones/retrieve", json={"id": item["id"]}) == item
    status, answer = await sandbox.call("POST", "/personal/v1/phones/retrieve", json={"id": "f" * 32})
    assert (status, answer["code"]) == (404, "not_found")


async def test_refuses_what_is_not_a_phone(sandbox: Any) -> None:
    status, answer = await sandbox.call("POST", BULK, json=stored("+79161234567", "12"))
    assert (status, answer["code"]) == (400, "invalid_phone")
    assert (await sandbox.ok("GET", "/_stats", None))["contract_violations"] == {}


async def test_finds_the_taxi_account_of_a_phone(sandbox: Any) -> None:
    person = await sandbox.person()
    asked = {"personal_phone_id": person["personal_phone_id"], "type": "yandex"}
    found = await sandbox.ok("POST", BY_PERSONAL, json=asked)
    assert found == {"id": person["phone_id"], "personal_phone_id": person["personal_phone_id"]}
    assert len(person["phone_id"]) == 24


async def test_does_not_know_who_is_not_in_taxi(sandbox: Any) -> None:
    person = await sandbox.person(in_taxi=False)
    asked = {"personal_phone_id": person["personal_phone_id"], "type": "yandex"}
    assert (await sandbox.call("POST", BY_PERSONAL, json=asked))[0] == 404
    await sandbox.person(in_taxi=True)
    assert (await sandbox.call("POST", BY_PERSONAL, json=asked))[0] == 200


async def test_lists_all_accounts_of_a_phone(sandbox: Any) -> None:
    portal = await sandbox.person(yandex_uid="4001")
    await sandbox.person(yandex_uid="4002", uid_kind="phonish")
    await sandbox.person("+79160000000", yandex_uid="4003")
    found = await sandbox.ok("GET", f"/zalogin/v1/internal/phone-info?phone_id={portal['phone_id']}")
    assert found["items"] == [{"yandex_uid": "4001", "type": "portal"}, {"yandex_uid": "4002", "type": "phonish"}]


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        ("4001", {"yandex_uid": "4001", "type": "portal"}),
        ("4002", {"yandex_uid": "4002", "type": "phonish", "portal_uid": "4001"}),
        ("4003", {"yandex_uid": "4003", "type": "phonish"}),
    ],
)
async def test_binds_a_phonish_to_the_portal_account_of_its_phone(sandbox: Any, uid: str, expected: Any) -> None:
    await sandbox.person(yandex_uid="4001")
    await sandbox.person(yandex_uid="4002", uid_kind="phonish")
    await sandbox.person("+79160000000", yandex_uid="4003", uid_kind="phonish")
    assert await sandbox.ok("GET", f"/zalogin/v1/internal/uid-info?yandex_uid={uid}") == expected


async def test_knows_neither_strange_phones_nor_strange_uids(sandbox: Any) -> None:
    assert (await sandbox.call("GET", "/zalogin/v1/internal/phone-info?phone_id=" + "a" * 24))[0] == 404
    assert (await sandbox.call("GET", "/zalogin/v1/internal/uid-info?yandex_uid=1"))[0] == 404


async def test_makes_a_person_once(sandbox: Any) -> None:
    first = await sandbox.person()
    assert await sandbox.person() == first
    other = await sandbox.person(uid_kind="phonish")
    assert other["yandex_uid"] != first["yandex_uid"]
    assert other["session"] != first["session"]
    assert other["phone_id"] == first["phone_id"]


async def test_moves_a_person_to_a_new_phone(sandbox: Any) -> None:
    before = await sandbox.person(yandex_uid="4001")
    after = await sandbox.person("+79160000000", yandex_uid="4001")
    assert after["session"] == before["session"]
    assert after["phone_id"] != before["phone_id"]
    assert (await sandbox.call("GET", f"/zalogin/v1/internal/phone-info?phone_id={before['phone_id']}"))[0] == 404
