"""Order processing: holds, completes and releases, as often as it takes."""

from pathlib import Path
from typing import Any

import pytest

from sandbox import state
from testkit import waiting

ROUTE = {"a": {"lat": 55.75, "lon": 37.61}, "b": {"lat": 55.76, "lon": 37.62}, "intermediate": []}
PRICE = {"amount": "210.00", "currency": "RUB"}
ORDERS = "/processing/orders"
HOLD, COMPLETE, RELEASE = (f"/maas/v1/rides/{word}" for word in ("hold", "complete", "release"))
DOWN = (503, {"code": "unavailable", "message": "-"})


async def create(sandbox: Any, **changes: Any) -> tuple[int, Any]:
    person = await sandbox.person()
    code = (await sandbox.promocode(person))[1]["promocode"]
    body = {"session": person["session"], "promocode": code, "route": ROUTE, "price": PRICE, "payment_method": "card"}
    status, answer = await sandbox.call("POST", ORDERS, None, json=body | changes)
    return status, answer


async def assigned(sandbox: Any) -> str:
    status, answer = await create(sandbox)
    assert (status, answer["status"]) == (200, "assigned")
    return str(answer["order_id"])


async def test_holds_a_ride_for_a_checked_code(sandbox: Any, maas: Any) -> None:
    order_id = await assigned(sandbox)
    check, hold = maas.seen
    assert (check.path, check.caller) == ("/maas/v1/check-promocode", "coupons")
    assert check.body["stage"] == "offer"
    assert (hold.path, hold.caller) == (HOLD, "processing")
    assert set(hold.body) == {"order_id", "promocode", "yandex_uid", "route", "price", "payment_method"}
    assert hold.body["order_id"] == order_id
    shown = await sandbox.ok("GET", f"{ORDERS}/{order_id}", None)
    assert (shown["status"], shown["owed"]) == ("assigned", None)


async def test_refuses_an_order_whose_code_fails_the_check(sandbox: Any, maas: Any) -> None:
    maas.answer("/maas/v1/check-promocode", 200, {"valid": False, "valid_any": True, "code": "distance_too_long"})
    status, answer = await create(sandbox)
    assert (status, answer["refused"]) == (409, "distance_too_long")
    assert maas.to(HOLD) == []
    assert (await sandbox.ok("GET", f"{ORDERS}/{answer['order_id']}", None))["status"] == "refused"


async def test_refuses_an_order_that_maas_does_not_hold(sandbox: Any, maas: Any) -> None:
    maas.answer(HOLD, 409, {"code": "no_rides_left", "message": "None."})
    status, answer = await create(sandbox)
    assert (status, answer["refused"]) == (409, "no_rides_left")


async def test_needs_a_session(sandbox: Any) -> None:
    status, answer = await create(sandbox, session="nobody")
    assert (status, answer["code"]) == (401, "unauthorized")


async def test_completes_a_ride_once(sandbox: Any, maas: Any) -> None:
    order_id = await assigned(sandbox)
    b = {"lat": 55.77, "lon": 37.63}
    change = {"b": b, "price": {"amount": "250.00", "currency": "RUB"}, "paid_waiting": PRICE}
    answers = [await sandbox.ok("POST", f"{ORDERS}/{order_id}/finish", None, json=change) for _ in range(2)]
    assert answers[0] == answers[1]
    assert (answers[0]["status"], answers[0]["ride"]["state"]) == ("finished", "used")
    [call] = maas.to(COMPLETE)
    assert call.caller == "processing"
    assert (call.body["route"]["b"], call.body["planned_b"]) == (b, ROUTE["b"])
    assert (call.body["price"]["amount"], call.body["paid_waiting"]) == ("250.00", PRICE)
    assert set(call.body) == {
        *("order_id", "route", "planned_b", "price", "paid_waiting", "payment_method", "finished_at")
    }


async def test_finishes_as_planned_when_nothing_changed(sandbox: Any, maas: Any) -> None:
    order_id = await assigned(sandbox)
    await sandbox.ok("POST", f"{ORDERS}/{order_id}/finish", None, json={})
    [call] = maas.to(COMPLETE)
    assert (call.body["route"], call.body["price"]) == (ROUTE, PRICE)
    assert "paid_waiting" not in call.body


async def test_releases_a_canceled_order(sandbox: Any, maas: Any) -> None:
    order_id = await assigned(sandbox)
    for _ in range(2):
        ended = await sandbox.ok("POST", f"{ORDERS}/{order_id}/cancel", None)
        assert ended == {"order_id": order_id, "status": "canceled"}
    [call] = maas.to(RELEASE)
    assert call.body == {"order_id": order_id}
    status, answer = await sandbox.call("POST", f"{ORDERS}/{order_id}/finish", None, json={})
    assert (status, answer["code"]) == (409, "order_canceled")


async def test_does_not_cancel_a_finished_order(sandbox: Any) -> None:
    order_id = await assigned(sandbox)
    await sandbox.ok("POST", f"{ORDERS}/{order_id}/finish", None, json={})
    assert (await sandbox.call("POST", f"{ORDERS}/{order_id}/cancel", None, json={}))[1]["code"] == "order_finished"


async def test_tells_maas_again_with_the_same_order_id(sandbox: Any, maas: Any) -> None:
    maas.answer(HOLD, *DOWN, times=2)
    order_id = await assigned(sandbox)
    assert [call.body["order_id"] for call in maas.to(HOLD)] == [order_id] * 3


async def test_releases_what_it_does_not_know_to_be_held(sandbox: Any, maas: Any) -> None:
    maas.answer(HOLD, *DOWN, times=3)
    status, answer = await create(sandbox)
    assert (status, answer["code"]) == (502, "maas_unavailable")
    await waiting.until(lambda: len(maas.to(RELEASE)) == 1)
    [order] = sandbox.world.store.state.orders.values()
    await waiting.until(lambda: order.owed is None)
    assert order.status == "failed"
    assert maas.to(RELEASE)[0].body == {"order_id": order.order_id}


async def test_completes_later_when_maas_was_away(sandbox: Any, maas: Any) -> None:
    order_id = await assigned(sandbox)
    maas.answer(COMPLETE, *DOWN, times=4)
    status, answer = await sandbox.call("POST", f"{ORDERS}/{order_id}/finish", None, json={})
    assert (status, answer["code"]) == (502, "maas_unavailable")
    order = sandbox.world.store.state.orders[order_id]
    await waiting.until(lambda: order.status == "finished")
    bodies = [call.body for call in maas.to(COMPLETE)]
    assert len(bodies) == 5
    assert all(body == bodies[0] for body in bodies)
    assert (await sandbox.ok("POST", f"{ORDERS}/{order_id}/finish", None, json={}))["ride"]["state"] == "used"


async def test_pays_its_debts_after_a_restart(start: Any, maas: Any, tmp_path: Path) -> None:
    killed = state.Store(tmp_path / "state.json")
    killed.state.orders["held"] = state.Order("held", "4001", "METRO1", ROUTE, PRICE, "card", owed="release")
    killed.save()
    sandbox = await start(tmp_path / "state.json")
    order = sandbox.world.store.state.orders["held"]
    await waiting.until(lambda: order.owed is None)
    assert order.status == "failed"
    assert [call.body for call in maas.to(RELEASE)] == [{"order_id": "held"}]


@pytest.mark.parametrize("word", ["", "/finish", "/cancel"])
async def test_does_not_know_a_strange_order(sandbox: Any, word: str) -> None:
    request: dict[str, Any] = {"json": {}} if word else {}
    status, answer = await sandbox.call("POST" if word else "GET", f"{ORDERS}/none{word}", None, **request)
    assert (status, answer["code"]) == (404, "order_not_found")
