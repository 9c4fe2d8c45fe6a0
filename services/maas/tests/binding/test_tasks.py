"""The search for the account of a registered phone (MA-36..38)."""

from typing import Any

import pytest

PHONES = "/user_phones/by_personal/retrieve"


async def _registered_with_accounts(world: Any, *accounts: tuple[str, str]) -> Any:
    world.neighbours.user_api.reset()
    world.neighbours.user_api.on("POST", PHONES, answer={"id": "a" * 24, "personal_phone_id": "p"})
    items = [{"yandex_uid": uid, "type": kind} for uid, kind in accounts]
    world.neighbours.zalogin.on("GET", "/v1/internal/phone-info", answer={"items": items})
    await world.registered()
    assert await world.maas.run_task("maas.user.match") == ["done"]
    return await world.maas.context.db.one(dict, "SELECT yandex_uid, uid_kind FROM users.users")


async def test_binds_the_only_portal_account(world: Any) -> None:
    row = await _registered_with_accounts(world, ("4009", "phonish"), ("4001", "portal"))
    assert row == {"yandex_uid": "4001", "uid_kind": "portal"}


@pytest.mark.parametrize("accounts", [[("4009", "phonish")], [("4001", "portal"), ("4002", "portal")], []])
async def test_waits_for_the_app_when_the_account_is_not_clear(world: Any, accounts: list[tuple[str, str]]) -> None:
    row = await _registered_with_accounts(world, *accounts)
    assert row == {"yandex_uid": None, "uid_kind": None}


async def test_waits_when_nobody_with_this_phone_uses_taxi(world: Any) -> None:
    await world.registered()
    assert await world.maas.run_task("maas.user.match") == ["done"]
    assert world.neighbours.zalogin.calls() == []


async def test_orders_the_code_of_a_person_bound_in_time(world: Any) -> None:
    await _registered_with_accounts(world, ("4001", "portal"))
    await world.partner("subscription/reserve", world.sale())
    await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]
    assert (await world.info())["promocode_status"] == "issued"
