"""What processing may send, and who may."""

from typing import Any

import pytest

from kit import pg

CREATE, CLOSE = "/internal/music/v1/player/create", "/internal/music/v1/player/close"


@pytest.mark.parametrize("path", [CREATE, CLOSE])
@pytest.mark.parametrize("caller", ["passenger-authorizer", "driver-authproxy", "totw", "support"])
async def test_refuses_other_callers(world: Any, path: str, caller: str) -> None:
    headers = {"X-Yandex-UID": "4001", "X-YaTaxi-Park-Id": "p", "X-YaTaxi-Driver-Profile-Id": "d"}
    answer = await world.music.ask(caller, "POST", path, {}, headers=headers)
    assert (answer.status, answer.code) == (403, "caller_not_allowed")


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("", {"order_id": ""}),
        ("", {"event_seq": -1}),
        ("", {"event_seq": "1"}),
        ("", {"event_seq": True}),
        ("", {"event_seq": 2**63}),
        ("", {"more": 1}),
        ("passenger", {"yandex_uid": "4001x"}),
        ("passenger", {"yandex_uid": 4001}),
        ("passenger", {"flags": "portal"}),
        ("passenger", {"flags": None}),
        ("passenger", {"flags": ["x"] * 101}),
        ("passenger", {"more": 1}),
        ("driver", {"park_id": "a b"}),
        ("driver", {"driver_profile_id": None}),
        ("driver", {"application_version": 9.7}),
        ("driver", {"more": 1}),
    ],
)
async def test_refuses_a_malformed_assignment(world: Any, part: str, changed: Any) -> None:
    body = world.assignment()
    (body[part] if part else body).update(changed)
    answer = await world.music.ask("processing", "POST", CREATE, body)
    assert (answer.status, answer.code) == (400, "request_invalid")


@pytest.mark.parametrize("missing", ["order_id", "event_seq", "reason"])
async def test_refuses_an_end_without(world: Any, missing: str) -> None:
    body = {"order_id": "order-1", "event_seq": 1, "reason": "completed"}
    del body[missing]
    answer = await world.music.ask("processing", "POST", CLOSE, body)
    assert (answer.status, answer.code) == (400, "request_invalid")


async def test_takes_a_message_that_says_more_than_is_known(messages: Any) -> None:
    body = messages.world.assignment()
    await messages.says(
        "assigned",
        {key: value | {"more": 1} if isinstance(value, dict) else value for key, value in body.items()} | {"more": 1},
    )
    assert await messages.active() == ["driver-1"]
    await messages.says("finished", {"order_id": "order-1", "event_seq": 2, "reason": "completed", "more": 1})
    assert await messages.active() == []


@pytest.mark.parametrize("seq", [1, 2])
async def test_keeps_the_events_of_an_order_going_forward(processing: Any, seq: int) -> None:
    await processing.finished(2)
    with pytest.raises(pg.RaisedByTrigger) as refused:
        await processing.world.execute("UPDATE orders.orders SET event_seq = %(seq)s", seq=seq)
    assert refused.value.constraint == "orders_go_forward"


async def test_keeps_one_active_player_per_order(processing: Any) -> None:
    await processing.assigned()
    with pytest.raises(pg.UniqueViolation) as refused:
        await processing.world.opened("order-1")
    assert refused.value.constraint == "players_one_active"
