"""The way that asks nobody: people are found by taxi's id of their phone (MA-29, MA-39, MA-71)."""

from typing import Any

import pytest

from kit import identity

INFO = "/4.0/maas/v1/subscription/info"
RETRIEVE = "/user_phones/by_personal/retrieve"
PHONE = "+79160000001"


@pytest.fixture
async def cheap(world: Any) -> Any:
    """maas that matches by phone_id; zalogin has no mock, so that asking it fails the test."""
    await world.configured(MAAS_MATCHING={"by": "phone_id"})
    world.neighbours.user_api.reset()
    world.neighbours.user_api.on("POST", RETRIEVE, answer={"id": "phone-a"})
    return world


async def _sold(world: Any, number: int = 1, *, is_matched: bool = True) -> str:
    phone_id = str(await world.registered(f"user-{number}", PHONE[:-1] + str(number)))
    if is_matched:
        assert await world.maas.run_task("maas.user.match") == ["done"]
    await world.partner("subscription/reserve", world.sale(f"pass-{number}", f"user-{number}"))
    await world.partner("subscription/activate", {"pass_id": f"pass-{number}"})
    return phone_id


async def _looks(world: Any, phone_id: str | None, uid: str = "4009", kind: str = "phonish", **known: Any) -> Any:
    passenger = identity.Passenger(uid, flags=frozenset({kind}), phone_id=phone_id, **known)
    return await world.maas.as_passenger(passenger, "GET", INFO)


async def _user(world: Any, number: int = 1) -> tuple[str | None, ...]:
    sql = "SELECT phone_id, yandex_uid, uid_kind FROM users.users WHERE maas_user_id = %(id)s"
    return tuple((await world.maas.context.db.one(dict, sql, id=f"user-{number}")).values())


async def test_writes_the_phone_id_alone_after_a_registration(cheap: Any) -> None:
    await _sold(cheap)
    assert await _user(cheap) == ("phone-a", None, None)


async def test_binds_whichever_account_comes_with_the_phone_id(cheap: Any) -> None:
    await _sold(cheap)
    for uid, kind in (("4009", "phonish"), ("4008", "phonish"), ("4001", "portal")):
        assert (await _looks(cheap, "phone-a", uid, kind)).status == 200
        assert await _user(cheap) == ("phone-a", uid, kind)
    assert (await _looks(cheap, "phone-a", "4007")).status == 200
    assert await _user(cheap) == ("phone-a", "4001", "portal")
    assert await cheap.maas.run_task("maas.promocode.issue") == ["done"]


async def test_knows_a_person_who_was_not_in_taxi_when_registered(cheap: Any) -> None:
    personal_phone_id = await _sold(cheap, is_matched=False)
    assert (await _looks(cheap, "phone-a", personal_phone_id=personal_phone_id)).status == 200
    assert await _user(cheap) == ("phone-a", "4009", "phonish")
    assert (await _looks(cheap, "phone-a")).status == 200


async def test_gives_the_account_to_the_person_whose_phone_it_has_now(cheap: Any) -> None:
    await _sold(cheap, 1)
    assert (await _looks(cheap, "phone-a", "4001", "portal")).status == 200
    cheap.neighbours.user_api.on("POST", RETRIEVE, answer={"id": "phone-b"})
    await _sold(cheap, 2)
    assert (await _looks(cheap, "phone-b", "4001", "portal")).body["pass_id"] == "pass-2"
    assert await _user(cheap, 1) == ("phone-a", None, None)
    assert await _user(cheap, 2) == ("phone-b", "4001", "portal")


async def test_leaves_a_phone_id_to_the_person_who_has_it(cheap: Any) -> None:
    await _sold(cheap, 1)
    personal_phone_id = await _sold(cheap, 2)
    assert await _user(cheap, 2) == (None, None, None)
    found = await _looks(cheap, "phone-c", "4002", personal_phone_id=personal_phone_id)
    assert (found.status, found.body["pass_id"]) == (200, "pass-2")
    assert await _user(cheap, 2) == ("phone-c", "4002", "phonish")


async def test_knows_no_stranger_and_keeps_nothing_of_one(cheap: Any) -> None:
    await _sold(cheap)
    for passenger in ({"phone_id": "phone-z"}, {"phone_id": None}, {"phone_id": None, "personal_phone_id": "other"}):
        answer = await _looks(cheap, uid="4777", **passenger)
        assert (answer.status, answer.code) == (404, "subscription_not_found")
    assert await cheap.maas.context.db.one(dict, "SELECT count(*) FROM users.users") == {"count": 1}


async def test_registers_by_phone_id_too(cheap: Any) -> None:
    cheap.neighbours.personal.on("POST", "/v1/phones/retrieve", answer={"id": "p", "value": PHONE})
    cheap.neighbours.vtb.on("POST", "/users", answer={"maas_user_id": "user-1"})
    passenger = identity.Passenger("4009", flags=frozenset({"phonish"}), phone_id="phone-a", personal_phone_id="p")
    for _ in range(2):
        answer = await cheap.maas.as_passenger(passenger, "POST", "/4.0/maas/v1/user/register")
        assert (answer.status, answer.body) == (200, {"maas_user_id": "user-1"})
    assert await _user(cheap) == ("phone-a", "4009", "phonish")
    assert len(cheap.neighbours.vtb.calls("POST", "/users")) == 1


async def test_keeps_what_it_knows_when_accounts_become_the_way(cheap: Any) -> None:
    await _sold(cheap)
    await _looks(cheap, "phone-a", "4001", "portal")
    await cheap.configured(MAAS_MATCHING={"by": "yandex_uid"})
    assert (await _looks(cheap, None, "4001", "portal")).status == 200
