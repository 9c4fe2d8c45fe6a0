"""A person gets another phone (MA-23, MA-25, MA-103)."""

from typing import Any

import pytest

from kit import identity

OLD, NEW = "+79161234567", "+79161234568"
INFO = "/4.0/maas/v1/subscription/info"


@pytest.fixture
async def allowing(world: Any) -> Any:
    """maas that lets the partner change phones, with one registered person."""
    await world.configured(MAAS_PHONE_CHANGE_ALLOWED=True)
    await world.registered("user-1", OLD)
    return world


async def _update(world: Any, phone: str = NEW, maas_user_id: str = "user-1", path: str = "user/update") -> Any:
    return await world.partner(path, {"maas_user_id": maas_user_id, "phone": phone})


async def _user(world: Any) -> Any:
    columns = "personal_phone_id, yandex_uid, uid_kind"
    return await world.maas.context.db.one(dict, f"SELECT {columns} FROM users.users WHERE maas_user_id = 'user-1'")


async def _phone_id(world: Any, phone: str) -> str:
    return str(await world.maas.context.personal.store_phone(phone))


async def _has_account(world: Any, uid: str, kind: str) -> None:
    await world.execute("UPDATE users.users SET yandex_uid = %(uid)s, uid_kind = %(kind)s", uid=uid, kind=kind)


async def _looks(world: Any, uid: str, phone: str, kind: str = "phonish") -> Any:
    passenger = identity.Passenger(uid, flags=frozenset({kind}), personal_phone_id=await _phone_id(world, phone))
    return await world.maas.as_passenger(passenger, "GET", INFO)


async def test_refuses_unless_the_config_allows_it(world: Any) -> None:
    await world.registered("user-1", OLD)
    answer = await _update(world)
    assert (answer.status, answer.code) == (403, "phone_change_not_supported")
    assert (await _user(world))["personal_phone_id"] == await _phone_id(world, OLD)


@pytest.mark.parametrize("path", ["user/update", "users/update"])
async def test_gives_the_person_the_new_phone_and_frees_the_old_one(allowing: Any, path: str) -> None:
    for _ in range(2):
        answer = await _update(allowing, path=path)
        assert (answer.status, answer.body) == (200, {"maas_user_id": "user-1", "matched": False})
    assert (await _user(allowing))["personal_phone_id"] == await _phone_id(allowing, NEW)
    assert await allowing.registered("user-2", OLD)


async def test_answers_the_same_phone_and_changes_nothing(allowing: Any) -> None:
    await _has_account(allowing, "4009", "phonish")
    answer = await _update(allowing, OLD)
    assert (answer.status, answer.body["matched"]) == (200, True)
    assert (await _user(allowing))["yandex_uid"] == "4009"


@pytest.mark.parametrize(
    ("maas_user_id", "phone", "status", "code"),
    [
        ("user-2", NEW, 404, "maas_user_not_found"),
        ("user-1", "+79160000009", 409, "phone_already_bound"),
        ("user-1", "12", 400, "phone_invalid"),
    ],
)
async def test_refuses_what_can_not_be(allowing: Any, maas_user_id: str, phone: str, status: int, code: str) -> None:
    await allowing.registered("user-3", "+79160000009")
    await _looks(allowing, "4009", NEW)
    before = await allowing.maas.context.db.all(dict, "SELECT * FROM users.users ORDER BY personal_phone_id")
    answer = await _update(allowing, phone, maas_user_id)
    assert (answer.status, answer.code) == (status, code)
    assert before == await allowing.maas.context.db.all(dict, "SELECT * FROM users.users ORDER BY personal_phone_id")


@pytest.mark.parametrize(
    ("kind", "kept"), [("portal", ("4001", "portal")), ("phonish", ("4009", "phonish")), (None, ("4009", "phonish"))]
)
async def test_takes_over_what_was_known_of_the_new_phone(
    allowing: Any, kind: str | None, kept: tuple[str, str]
) -> None:
    if kind is not None:
        await _has_account(allowing, "4001", kind)
    assert (await _looks(allowing, "4009", NEW)).status == 404
    assert (await _update(allowing)).body["matched"]
    user = await _user(allowing)
    assert (user["yandex_uid"], user["uid_kind"]) == kept


async def test_lets_go_of_the_phonish_account_of_the_old_phone(allowing: Any) -> None:
    await _has_account(allowing, "4009", "phonish")
    assert not (await _update(allowing)).body["matched"]
    assert (await _user(allowing))["yandex_uid"] is None


async def test_does_not_take_the_account_of_another_person(allowing: Any) -> None:
    await _looks(allowing, "4009", NEW)
    await allowing.registered("user-3", "+79160000009")
    await allowing.execute(
        "UPDATE users.users SET yandex_uid = '4009', uid_kind = 'phonish' WHERE maas_user_id = 'user-3'"
    )
    answer = await _update(allowing)
    assert (answer.status, answer.body["matched"]) == (200, False)


async def test_gives_the_subscription_to_the_account_that_came_with_the_phone(allowing: Any) -> None:
    await allowing.partner("subscription/reserve", allowing.sale())
    await allowing.partner("subscription/activate", {"pass_id": "pass-1"})
    await _looks(allowing, "4009", NEW)
    assert await allowing.maas.run_task("maas.user.match") == ["done"]
    await _update(allowing)
    assert await allowing.maas.run_task("maas.user.match") == ["done"]
    assert await allowing.maas.run_task("maas.promocode.issue") == ["done"]
    assert (await allowing.info())["promocode_status"] == "issued"


async def test_forgets_strangers_who_were_not_seen_for_long(world: Any) -> None:
    await world.registered("user-1", OLD)
    await _looks(world, "4008", "+79160000008")
    await world.pass_time_of("users", days=181)
    await _looks(world, "4009", "+79160000009")
    assert await world.runs("maas.users.purge") == ["done"]
    rows = await world.maas.context.db.all(dict, "SELECT maas_user_id, yandex_uid FROM users.users ORDER BY 1")
    assert [(row["maas_user_id"], row["yandex_uid"]) for row in rows] == [("user-1", None), (None, "4009")]
