"""Registering people of the metro (MX-16, MA-20..27, MA-33..35)."""

from typing import Any

import pytest


async def test_registers_a_person_by_phone(world: Any) -> None:
    answer = await world.partner("users/create", {"maas_user_id": "user-1", "phone": "8 (916) 123-45-67"})
    assert (answer.status, answer.body) == (200, {"maas_user_id": "user-1", "matched": False})
    stored = world.neighbours.personal.calls("POST", "/v1/phones/bulk_store")[0].json
    assert stored["items"] == [{"value": "+79161234567"}]


async def test_answers_a_repeat_the_same(world: Any) -> None:
    who = {"maas_user_id": "user-1", "phone": "+79161234567"}
    first = await world.partner("users/create", who)
    again = await world.partner("users/create", who)
    assert (first.status, first.body) == (again.status, again.body)


@pytest.mark.parametrize("alias", ["user/create", "user/register"])
async def test_knows_the_older_names(world: Any, alias: str) -> None:
    answer = await world.partner(alias, {"maas_user_id": "user-1", "phone": "+79161234567"})
    assert answer.status == 200


async def test_refuses_a_phone_of_somebody_else(world: Any) -> None:
    await world.registered("user-1", "+79161234567")
    answer = await world.partner("users/create", {"maas_user_id": "user-2", "phone": "+79161234567"})
    assert (answer.status, answer.code) == (409, "phone_already_bound")


async def test_refuses_a_second_phone_of_a_person(world: Any) -> None:
    await world.registered("user-1", "+79161234567")
    answer = await world.partner("users/create", {"maas_user_id": "user-1", "phone": "+79161234568"})
    assert (answer.status, answer.code) == (409, "maas_user_already_bound")


@pytest.mark.parametrize("phone", ["12345", "не телефон", "+7916123456", "+7916123456789"])
async def test_refuses_what_is_no_phone(world: Any, phone: str) -> None:
    answer = await world.partner("users/create", {"maas_user_id": "user-1", "phone": phone})
    assert (answer.status, answer.code) == (400, "phone_invalid")
    assert phone not in str(answer.body)


async def test_says_that_personal_is_down_before_anything_is_done(world: Any) -> None:
    world.neighbours.personal.reset()
    world.neighbours.personal.on("POST", "/v1/phones/bulk_store", answer={"code": "busy", "message": ""}, status=503)
    answer = await world.partner("users/create", {"maas_user_id": "user-1", "phone": "+79161234567"})
    assert answer.status == 503
    assert answer.headers["Retry-After"]


async def test_gives_up_an_account_that_belongs_to_another_person(world: Any) -> None:
    await world.registered("user-1", "+79161234567")
    await world.execute("UPDATE users.users SET yandex_uid = '4001', uid_kind = 'portal'")
    await world.execute(
        """INSERT INTO users.users (personal_phone_id, yandex_uid, uid_kind, checked_at)
           VALUES (%(id)s, '4001', 'portal', now())""",
        id=await _phone_id(world, "+79161234568"),
    )
    answer = await world.partner("users/create", {"maas_user_id": "user-2", "phone": "+79161234568"})
    assert (answer.status, answer.body["matched"]) == (200, False)


async def _phone_id(world: Any, phone: str) -> str:
    return str(await world.maas.context.personal.store_phone(phone))
