"""Events of processing come late, early and twice; each order of them comes to the same (M-33..M-37)."""

import asyncio
import itertools
from typing import Any

import pytest

from kit import failpoints, metrics

A1, B2, F3 = 1, 2, 3
_DRIVERS = {A1: "driver-a", B2: "driver-b"}
_EVERY_ORDER = sorted(set(itertools.permutations((A1, A1, B2, F3, F3))))


async def _says(processing: Any, seq: int, order_id: str) -> None:
    if seq == F3:
        await processing.finished(F3, order_id=order_id)
    else:
        await processing.assigned(seq, _DRIVERS[seq], order_id=order_id)


def _expected(said: tuple[int, ...]) -> list[str]:
    latest = max(said)
    return [] if latest == F3 else [_DRIVERS[latest]]


async def _check(processing: Any, events: tuple[int, ...], order_id: str) -> None:
    for number, event in enumerate(events, 1):
        await _says(processing, event, order_id)
        assert await processing.active(order_id) == _expected(events[:number]), (events, number)
    growing = tuple(seq for n, seq in enumerate(events) if seq > max((0, *events[:n])))
    opened = [_DRIVERS[seq] for seq in growing if seq != F3]
    assert [driver for driver, _ in await processing.players(order_id)] == opened, events


async def test_comes_to_the_same_by_every_order_of_events(processing: Any) -> None:
    for number, events in enumerate(_EVERY_ORDER):
        await _check(processing, events, f"order-{number}")


async def test_comes_to_the_same_by_messages(messages: Any) -> None:
    for number, events in enumerate(itertools.permutations((A1, B2, F3))):
        await _check(messages, events, f"order-{number}")


async def test_opens_a_player(processing: Any) -> None:
    opened = metrics.value("music_players_opened_total")
    answer = await processing.assigned()
    assert answer["reason"] is None
    row = await processing.world.music.context.db.one(dict, "SELECT * FROM players.players")
    assert answer["player_id"] == row["player_id"]
    assert (row["order_id"], row["yandex_uid"], row["park_id"]) == ("order-1", "4001", "park-1")
    assert (row["status"], row["connection"]) == ("active", "connecting")
    assert metrics.value("music_players_opened_total") == opened + 1


async def test_answers_a_repeated_assignment_as_before_and_asks_nobody(processing: Any) -> None:
    first = await processing.assigned()
    assert await processing.assigned() == first
    assert len(processing.world.neighbours.plus.calls()) == 1


async def test_keeps_the_player_of_a_driver_who_is_assigned_again(processing: Any) -> None:
    first = await processing.assigned(1)
    opened = metrics.value("music_players_opened_total")
    assert await processing.assigned(2) == first
    assert metrics.value("music_players_opened_total") == opened


async def test_opens_a_third_player_for_a_driver_who_comes_back(processing: Any) -> None:
    await processing.assigned(1, "driver-a")
    await processing.assigned(2, "driver-b")
    await processing.assigned(3, "driver-a")
    assert await processing.players() == [
        ("driver-a", "driver_changed"),
        ("driver-b", "driver_changed"),
        ("driver-a", None),
    ]


async def test_closes_the_player_of_another_passenger(processing: Any) -> None:
    await processing.assigned(1)
    await processing.assigned(2, yandex_uid="4002")
    assert await processing.players() == [("driver-1", "passenger_changed"), ("driver-1", None)]


@pytest.mark.parametrize(("driver", "reason"), [("driver-1", "not_available"), ("driver-2", "driver_changed")])
async def test_closes_the_player_when_music_is_not_available_any_more(
    processing: Any, driver: str, reason: str
) -> None:
    await processing.assigned(1)
    answer = await processing.assigned(2, driver, flags=["phonish"])
    assert answer == {"player_id": None, "reason": "not_portal"}
    assert await processing.players() == [("driver-1", reason)]


async def test_closes_with_the_reason_of_processing(processing: Any) -> None:
    await processing.assigned()
    assert await processing.finished(reason="cancelled_by_user") == {}
    assert await processing.players() == [("driver-1", "cancelled_by_user")]


@pytest.mark.parametrize("seq", [1, 2])
async def test_keeps_the_player_when_an_old_end_comes(processing: Any, seq: int) -> None:
    await processing.assigned(2)
    await processing.finished(seq)
    assert await processing.players() == [("driver-1", None)]


async def test_says_of_an_old_assignment_that_it_is_old(processing: Any) -> None:
    await processing.finished(3)
    assert await processing.assigned(1) == {"player_id": None, "reason": "superseded"}
    assert processing.world.neighbours.plus.calls() == []


async def test_says_of_a_repeated_assignment_that_its_player_is_gone(processing: Any) -> None:
    await processing.assigned()
    await processing.world.execute(
        "UPDATE players.players SET status = 'closed', close_reason = 'idle', closed_at = now()"
    )
    assert await processing.assigned() == {"player_id": None, "reason": "closed"}
    assert await processing.active() == []


async def test_opens_no_player_when_the_order_ends_while_plus_is_asked(processing: Any) -> None:
    opened = metrics.value("music_players_opened_total")

    async def answered(call: Any) -> Any:
        await processing.finished(3)
        return {"has_plus": True}

    processing.world.neighbours.plus.on("GET", "/internal/v1/subscriptions/status", answer=answered, times=1)
    assert await processing.assigned(1) == {"player_id": None, "reason": "superseded"}
    assert await processing.players() == []
    assert metrics.value("music_players_opened_total") == opened


async def test_opens_the_newer_player_when_another_driver_comes_while_plus_is_asked(processing: Any) -> None:
    async def answered(call: Any) -> Any:
        await processing.assigned(2, "driver-b")
        return {"has_plus": True}

    processing.world.neighbours.plus.on("GET", "/internal/v1/subscriptions/status", answer=answered, times=1)
    assert await processing.assigned(1, "driver-a") == {"player_id": None, "reason": "superseded"}
    assert await processing.players() == [("driver-b", None)]


async def test_opens_one_player_when_one_event_comes_many_times_at_once(processing: Any) -> None:
    answers = await asyncio.gather(*(processing.assigned(1) for _ in range(8)))
    assert len({answer["player_id"] for answer in answers}) == 1
    assert await processing.players() == [("driver-1", None)]


async def test_opens_one_player_when_many_drivers_come_at_once(processing: Any) -> None:
    for order_id in ("order-1", "order-2", "order-3"):
        events = [processing.assigned(seq, f"driver-{seq}", order_id=order_id) for seq in range(1, 9)]
        await asyncio.gather(*events)
        assert await processing.active(order_id) == ["driver-8"]


async def test_counts_the_versions_of_an_order_on_across_drivers(processing: Any) -> None:
    await processing.assigned(1, "driver-a")
    await processing.world.execute("UPDATE players.players SET version = 41")
    await processing.assigned(2, "driver-b")
    versions = await processing.world.music.context.db.all(
        lambda version: version, "SELECT version FROM players.players ORDER BY version"
    )
    assert versions == [42, 43]


async def test_undoes_everything_when_the_new_player_can_not_be_made(processing: Any) -> None:
    await processing.assigned(1, "driver-a")
    await processing.world.execute(
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
           CREATE TRIGGER refuse BEFORE INSERT ON players.players FOR EACH ROW EXECUTE FUNCTION refuse()"""
    )
    answer = await processing.says("assigned", processing.world.assignment("order-1", 2, driver_profile_id="driver-b"))
    assert answer.status == 500
    await processing.world.execute("DROP TRIGGER refuse ON players.players")
    assert await processing.players() == [("driver-a", None)]
    await processing.assigned(2, "driver-b")
    assert await processing.active() == ["driver-b"]


@pytest.mark.parametrize("boundary", ["before_commit", "after_commit"])
async def test_carries_an_assignment_out_once_though_it_broke_off(processing: Any, boundary: str) -> None:
    await processing.assigned(1, "driver-a")
    body = processing.world.assignment("order-1", 2, driver_profile_id="driver-b")

    def breaks(name: str) -> None:
        if name == f"music.orders.actions.assign:{boundary}":
            raise RuntimeError

    failpoints.arm(breaks)
    try:
        assert (await processing.says("assigned", body)).status == 500
    finally:
        failpoints.arm(None)
    is_done = boundary == "after_commit"
    assert await processing.active() == ["driver-b" if is_done else "driver-a"]
    await processing.assigned(2, "driver-b")
    assert await processing.players() == [("driver-a", "driver_changed"), ("driver-b", None)]


@pytest.mark.parametrize("boundary", ["before_commit", "after_commit"])
async def test_carries_an_end_out_though_it_broke_off(processing: Any, boundary: str) -> None:
    await processing.assigned(1)

    def breaks(name: str) -> None:
        if name == f"music.orders.actions.finish:{boundary}":
            raise RuntimeError

    failpoints.arm(breaks)
    try:
        body = {"order_id": "order-1", "event_seq": 2, "reason": "completed"}
        assert (await processing.says("finished", body)).status == 500
    finally:
        failpoints.arm(None)
    assert await processing.active() == ([] if boundary == "after_commit" else ["driver-1"])
    await processing.finished(2)
    assert await processing.players() == [("driver-1", "completed")]
