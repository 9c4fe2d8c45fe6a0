"""zalogin is asked once about a person in a period, whatever happens (MA-68..70)."""

import asyncio
import hashlib
from typing import Any

import pytest

from kit import identity
from testkit import neighbours as mocks

INFO = "/4.0/maas/v1/subscription/info"
UID_INFO = "/v1/internal/uid-info"


def _phone(number: int) -> str:
    return f"+7916000{number:04}"


def _person(number: int, *flags: str, uid: int = 9000, phone: int | None = None) -> identity.Passenger:
    phone_id = hashlib.md5(_phone(number if phone is None else phone).encode()).hexdigest()
    return identity.Passenger(str(uid + number), flags=frozenset(flags or ("phonish",)), personal_phone_id=phone_id)


async def _sold(world: Any, number: int = 0) -> None:
    await world.registered(f"user-{number}", _phone(number))
    answer = await world.partner("subscription/reserve", world.sale(f"pass-{number}", f"user-{number}"))
    assert answer.status == 200, answer
    await world.partner("subscription/activate", {"pass_id": f"pass-{number}"})


async def _looks(world: Any, person: identity.Passenger) -> Any:
    return await world.maas.as_passenger(person, "GET", INFO)


async def _user(world: Any, number: int = 0) -> tuple[str | None, str | None]:
    sql = "SELECT yandex_uid, uid_kind FROM users.users WHERE maas_user_id = %(id)s"
    row = await world.maas.context.db.one(dict, sql, id=f"user-{number}")
    return row["yandex_uid"], row["uid_kind"]


def _asked(world: Any) -> int:
    return len(world.neighbours.zalogin.calls("GET", UID_INFO))


async def test_asks_at_most_once_per_person_of_a_thousand_looks(world: Any) -> None:
    """Fifty phonish people look ten times at once, twice: strangers, registered ones, some whose portal is taken."""
    await world.registered("user-999", _phone(999))
    await world.execute("UPDATE users.users SET yandex_uid = '77', uid_kind = 'portal'")
    for number in range(30):
        await world.registered(f"user-{number}", _phone(number))

    def portal(call: mocks.Call) -> Any:
        uid = call.query["yandex_uid"]
        return {"yandex_uid": uid, "type": "phonish", "portal_uid": "77" if int(uid) % 2 else None}

    world.neighbours.zalogin.on("GET", UID_INFO, answer=portal)
    for _ in range(2):
        looks = [_looks(world, _person(number)) for number in range(50) for _ in range(10)]
        assert {answer.status for answer in await asyncio.gather(*looks)} == {404}
    assert 0 < _asked(world) <= 50
    assert {await _user(world, number) for number in range(30)} == {(str(9000 + n), "phonish") for n in range(30)}


async def test_binds_the_phonish_account_when_the_portal_one_is_taken(world: Any) -> None:
    await world.registered("user-999", _phone(999))
    await world.execute("UPDATE users.users SET yandex_uid = '77', uid_kind = 'portal'")
    await _sold(world)
    world.neighbours.zalogin.on("GET", UID_INFO, answer={"portal_uid": "77"})
    shown = await _looks(world, _person(0))
    assert (shown.status, shown.body["preparing"]) == (200, True)
    assert await _user(world) == ("9000", "phonish")
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]


async def test_gives_way_to_another_phonish_account_without_asking_again(world: Any) -> None:
    await _sold(world)
    world.neighbours.zalogin.on("GET", UID_INFO, answer={"type": "phonish"})
    for uid in (9000, 9100, 9000, 9100):
        assert (await _looks(world, _person(0, uid=uid))).status == 200
        assert await _user(world) == (str(uid), "phonish")
    assert _asked(world) == 1
    await world.pass_time_of("users", days=1, seconds=1)
    await _looks(world, _person(0, uid=9000))
    assert _asked(world) == 2


async def test_shows_the_subscription_while_zalogin_is_sick_and_binds_later(world: Any) -> None:
    await _sold(world)
    sick = world.neighbours.zalogin.on("GET", UID_INFO, status=503, answer={"code": "busy", "message": ""})
    for _ in range(5):
        shown = await _looks(world, _person(0))
        assert (shown.status, shown.body["status"], shown.body["preparing"]) == (200, "activated", False)
    assert len(sick.calls) <= 2
    assert await _user(world) == (None, None)
    await world.pass_time_of("users", seconds=61)
    world.neighbours.zalogin.on("GET", UID_INFO, answer={"portal_uid": "4001"})
    assert (await _looks(world, _person(0))).body["preparing"]
    assert await _user(world) == ("4001", "portal")
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]


@pytest.mark.parametrize("accounts", [[], [("4001", "portal"), ("4002", "portal")]])
async def test_does_not_ask_after_a_registration_that_found_nothing_clear(world: Any, accounts: Any) -> None:
    world.neighbours.user_api.reset()
    world.neighbours.user_api.on("POST", "/user_phones/by_personal/retrieve", answer={"id": "a" * 24})
    items = [{"yandex_uid": uid, "type": kind} for uid, kind in accounts]
    world.neighbours.zalogin.on("GET", "/v1/internal/phone-info", answer={"items": items})
    await _sold(world)
    assert await world.maas.run_task("maas.user.match") == ["done"]
    assert (await _looks(world, _person(0))).status == 200
    assert await _user(world) == ("9000", "phonish")
    assert _asked(world) == 0
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]


async def test_knows_a_remembered_stranger_by_another_phone(world: Any) -> None:
    stranger = _person(0, "portal", phone=1)
    assert (await _looks(world, stranger)).status == 404
    await _sold(world)
    assert (await _looks(world, stranger)).status == 404
    assert (await _looks(world, _person(0, "portal"))).status == 200
    assert await _user(world) == ("9000", "portal")
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]
    assert world.neighbours.zalogin.calls() == []
