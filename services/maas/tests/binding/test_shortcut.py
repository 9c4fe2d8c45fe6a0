"""The subscription's button among the products (MA-63, MA-73, MA-79)."""

from typing import Any

import pytest

SHORTCUT = "/maas/v1/shortcut"


async def _asks(world: Any, caller: str = "products", **body: Any) -> Any:
    return await world.maas.ask(caller, "POST", SHORTCUT, {"yandex_uid": "4001", "flags": ["portal"]} | body)


async def test_shows_a_live_subscription(world: Any) -> None:
    await world.with_promocode()
    answer = await _asks(world, personal_phone_id=None, phone_id=None, language="ru")
    assert answer.status == 200
    assert answer.body == {
        "shortcut": {
            "title": "На такси к метро",
            "subtitle": "Осталось 10 поездок",
            "deeplink": "yandextaxi://nearest-metro?pass_id=pass-1",
            "rides_left": 10,
            "pass_id": "pass-1",
        }
    }


@pytest.mark.parametrize(
    ("language", "rides", "subtitle"),
    [
        ("ru", 1, "Осталась 1 поездка"),
        ("ru", 3, "Осталось 3 поездки"),
        ("ru", 0, "Осталось 0 поездок"),
        ("en", 1, "1 ride left"),
        ("en", 5, "5 rides left"),
        (None, 5, "Осталось 5 поездок"),
    ],
)
async def test_counts_rides_as_people_do(world: Any, language: str | None, rides: int, subtitle: str) -> None:
    await world.with_promocode(rides=rides)
    shown = (await _asks(world, language=language)).body["shortcut"]
    assert (shown["subtitle"], shown["rides_left"]) == (subtitle, rides)


async def test_binds_a_person_seen_for_the_first_time(world: Any) -> None:
    phone_id = await world.registered("user-1")
    await world.partner("subscription/reserve", world.sale())
    await world.partner("subscription/activate", {"pass_id": "pass-1"})
    answer = await _asks(world, personal_phone_id=phone_id)
    assert answer.body["shortcut"]["pass_id"] == "pass-1"
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]


async def test_shows_nothing_where_there_is_nothing_to_ride_by(world: Any) -> None:
    assert (await _asks(world, yandex_uid="4777", personal_phone_id="nobody")).body == {"shortcut": None}
    await world.reserved()
    await world.execute(
        "UPDATE users.users SET yandex_uid = '4001', uid_kind = 'portal' WHERE maas_user_id IS NOT NULL"
    )
    assert (await _asks(world)).body == {"shortcut": None}
    await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert (await _asks(world)).body["shortcut"] is not None
    await world.pass_time(days=31)
    assert (await _asks(world)).body == {"shortcut": None}


async def test_is_for_products_alone(world: Any) -> None:
    assert (await _asks(world, "coupons")).code == "caller_not_allowed"


@pytest.mark.parametrize("changed", [{"language": "de"}, {"flags": "portal"}, {"yandex_uid": "x"}, {"phone": "+7916"}])
async def test_refuses_what_makes_no_sense(world: Any, changed: Any) -> None:
    assert (await _asks(world, **changed)).code == "request_invalid"
