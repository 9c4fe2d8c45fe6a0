"""Looking at the subscription binds the passenger (MA-21, MA-22, MA-63..69, MA-78, MA-96)."""

from typing import Any

from kit import identity

INFO = "/4.0/maas/v1/subscription/info"
PHONE = "+79160000001"


def _passenger(uid: str = "4001", *flags: str, phone_id: str | None = None) -> identity.Passenger:
    return identity.Passenger(uid, flags=frozenset(flags or ("portal",)), personal_phone_id=phone_id)


async def _sold(world: Any) -> str:
    phone_id = str(await world.registered("user-1", PHONE))
    await world.partner("subscription/reserve", world.sale())
    await world.partner("subscription/activate", {"pass_id": "pass-1"})
    return phone_id


async def test_binds_by_phone_and_orders_the_code(world: Any) -> None:
    anna = _passenger(phone_id=await _sold(world))
    shown = await world.maas.as_passenger(anna, "GET", INFO)
    assert (shown.status, shown.body["status"], shown.body["preparing"]) == (200, "activated", True)
    assert shown.body["promocode"] is None
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]
    shown = await world.maas.as_passenger(anna, "GET", INFO)
    assert (shown.body["promocode"], shown.body["preparing"]) == ("METRO-PASS-1", False)
    assert shown.body["rides"]["left"] == 10


async def test_prefers_the_portal_account_of_a_phonish_one(world: Any) -> None:
    phone_id = await _sold(world)
    world.neighbours.zalogin.on(
        "GET", "/v1/internal/uid-info", answer={"yandex_uid": "4009", "type": "phonish", "portal_uid": "4001"}
    )
    shown = await world.maas.as_passenger(_passenger("4009", "phonish", phone_id=phone_id), "GET", INFO)
    assert shown.status == 200
    row = await world.maas.context.db.one(dict, "SELECT yandex_uid, uid_kind FROM users.users")
    assert row == {"yandex_uid": "4001", "uid_kind": "portal"}


async def test_asks_zalogin_once_however_often_a_bound_person_looks(world: Any) -> None:
    phone_id = await _sold(world)
    world.neighbours.zalogin.on("GET", "/v1/internal/uid-info", answer={"yandex_uid": "4009", "type": "phonish"})
    for _ in range(3):
        await world.maas.as_passenger(_passenger("4009", "phonish", phone_id=phone_id), "GET", INFO)
    assert len(world.neighbours.zalogin.calls()) == 1


async def test_remembers_a_stranger(world: Any) -> None:
    stranger = _passenger(phone_id="phone-of-nobody")
    for _ in range(2):
        answer = await world.maas.as_passenger(stranger, "GET", INFO)
        assert (answer.status, answer.code) == (404, "subscription_not_found")
    rows = await world.maas.context.db.all(dict, "SELECT maas_user_id, yandex_uid FROM users.users")
    assert rows == [{"maas_user_id": None, "yandex_uid": "4001"}]


async def test_knows_a_remembered_stranger_who_registers_later(world: Any) -> None:
    phone_id = str(await world.maas.context.personal.store_phone(PHONE))
    anna = _passenger(phone_id=phone_id)
    await world.maas.as_passenger(anna, "GET", INFO)
    answer = await world.partner("users/create", {"maas_user_id": "user-1", "phone": PHONE})
    assert answer.body == {"maas_user_id": "user-1", "matched": True}


async def test_hides_a_reservation_from_the_person(world: Any) -> None:
    phone_id = str(await world.registered("user-1", PHONE))
    await world.partner("subscription/reserve", world.sale())
    answer = await world.maas.as_passenger(_passenger(phone_id=phone_id), "GET", INFO)
    assert (answer.status, answer.code) == (404, "subscription_not_found")
    await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]


async def test_takes_identity_from_the_gateway_alone(world: Any) -> None:
    headers = {"X-Yandex-UID": "4001"}
    answer = await world.maas.ask("coupons", "GET", INFO, headers=headers)
    assert (answer.status, answer.code) == (403, "caller_not_allowed")
    answer = await world.maas.ask("passenger-authorizer", "GET", INFO)
    assert (answer.status, answer.code) == (401, "unauthorized")
