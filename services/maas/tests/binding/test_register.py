"""A passenger registers with the metro in the app (MA-30..32)."""

import asyncio
from typing import Any

import pytest

from kit import identity

REGISTER = "/4.0/maas/v1/user/register"
PHONE = "+79161234567"


@pytest.fixture
async def open_world(world: Any) -> Any:
    """maas whose neighbours know the phone and name its person."""
    world.neighbours.personal.on("POST", "/v1/phones/retrieve", answer={"id": "phone-1", "value": PHONE})
    world.neighbours.vtb.on("POST", "/users", answer={"maas_user_id": "user-1"})
    return world


async def _registers(world: Any, *, phone: str | None = "phone-1", kind: str = "portal", **sent: Any) -> Any:
    passenger = identity.Passenger("4001", flags=frozenset({kind}), personal_phone_id=phone)
    return await world.maas.as_passenger(passenger, "POST", REGISTER, **sent)


async def _rows(world: Any) -> Any:
    return await world.maas.context.db.all(
        dict, "SELECT personal_phone_id, maas_user_id, yandex_uid, uid_kind FROM users.users"
    )


@pytest.mark.parametrize("sent", [{}, {"body": {}}])
async def test_registers_the_phone_and_binds_the_account(open_world: Any, sent: Any) -> None:
    for _ in range(2):
        answer = await _registers(open_world, **sent)
        assert (answer.status, answer.body) == (200, {"maas_user_id": "user-1"})
    (call,) = open_world.neighbours.vtb.calls("POST", "/users")
    assert call.json == {"phone": PHONE}
    bound = {"maas_user_id": "user-1", "yandex_uid": "4001", "uid_kind": "portal"}
    assert await _rows(open_world) == [{"personal_phone_id": "phone-1"} | bound]


async def test_registers_once_however_many_ask_at_once(open_world: Any) -> None:
    answers = await asyncio.gather(*(_registers(open_world) for _ in range(10)))
    assert {(answer.status, answer.body["maas_user_id"]) for answer in answers} == {(200, "user-1")}
    assert len(await _rows(open_world)) == 1


@pytest.mark.parametrize(("portal_uid", "bound"), [("4000", ("4000", "portal")), (None, ("4001", "phonish"))])
async def test_prefers_the_portal_account(open_world: Any, portal_uid: str | None, bound: tuple[str, str]) -> None:
    open_world.neighbours.zalogin.on("GET", "/v1/internal/uid-info", answer={"portal_uid": portal_uid})
    assert (await _registers(open_world, kind="phonish")).status == 200
    (row,) = await _rows(open_world)
    assert (row["yandex_uid"], row["uid_kind"]) == bound


async def test_registers_also_while_zalogin_is_sick(open_world: Any) -> None:
    open_world.neighbours.zalogin.fail("garbage")
    answer = await _registers(open_world, kind="phonish")
    assert (answer.status, answer.body) == (200, {"maas_user_id": "user-1"})


async def test_knows_a_person_whom_the_metro_registered(open_world: Any) -> None:
    phone_id = await open_world.registered("user-7", PHONE)
    answer = await _registers(open_world, phone=phone_id)
    assert answer.body == {"maas_user_id": "user-7"}
    assert open_world.neighbours.vtb.calls("POST", "/users") == []


async def test_asks_for_a_phone(open_world: Any) -> None:
    answer = await _registers(open_world, phone=None)
    assert (answer.status, answer.code) == (409, "phone_required")
    unknown = {"code": "not_found", "message": ""}
    open_world.neighbours.personal.on("POST", "/v1/phones/retrieve", answer=unknown, status=404)
    answer = await _registers(open_world)
    assert (answer.status, answer.code) == (409, "phone_required")
    assert open_world.neighbours.vtb.calls() == []


async def test_says_that_the_metro_refuses_the_phone(open_world: Any) -> None:
    refused = {"code": "invalid_phone", "message": PHONE}
    open_world.neighbours.vtb.on("POST", "/users", answer=refused, status=400)
    answer = await _registers(open_world)
    assert (answer.status, answer.code) == (409, "phone_not_taken")
    assert PHONE not in str(answer.body)


async def test_says_when_the_metro_names_somebody_known_otherwise(open_world: Any) -> None:
    await open_world.registered("user-1", "+79160000002")
    answer = await _registers(open_world)
    assert (answer.status, answer.code) == (409, "maas_user_already_bound")


@pytest.mark.parametrize(("fault", "status"), [("reset", 502), ("garbage", 502)])
async def test_does_nothing_when_the_bank_is_sick(open_world: Any, fault: Any, status: int) -> None:
    open_world.neighbours.vtb.fail(fault)
    assert (await _registers(open_world)).status == status
    assert [row["maas_user_id"] for row in await _rows(open_world)] == [None]


@pytest.mark.parametrize("raw", [b'{"maas_user_id": "user-2"}', b"[]", b"null", b"{", b'{"a": 1, "a": 1}'])
async def test_takes_no_arguments(open_world: Any, raw: bytes) -> None:
    headers = {"X-Yandex-UID": "4001", "X-YaTaxi-User": "personal_phone_id=phone-1"}
    answer = await open_world.maas.ask("passenger-authorizer", "POST", REGISTER, raw=raw, headers=headers)
    assert (answer.status, answer.code) == (400, "request_invalid")
    assert open_world.neighbours.vtb.calls() == []
