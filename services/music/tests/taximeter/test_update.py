"""Reports of the taximeter."""

import datetime
from typing import Any

import pytest

from kit import identity, metrics, pg
from music.commands.model import Open, Status
from music.players.model import Action
from music.taximeter import model, schemas
from testkit.waiting import until

COMMANDS = "SELECT * FROM commands.commands ORDER BY seq"
PLAYER = "SELECT * FROM players.players"
STRANGER = identity.Driver("park-1", "driver-2")


async def _player(world: Any) -> dict[str, Any]:
    (row,) = await world.rows(PLAYER)
    return dict(row)


async def _fates(world: Any) -> list[Any]:
    return [(row["status"], row["reason"], row["late_result"]) for row in await world.rows(COMMANDS)]


async def test_goes_online_with_the_first_report(world: Any) -> None:
    await world.opened()
    answer = await world.reports()
    assert (answer.status, answer.body) == (200, {"version": 2, "commands": []})
    player = await _player(world)
    assert (player["connection"], player["report_seq"], player["device_session"]) == ("online", 1, "session-1")
    assert player["state"]["track"] == {
        "id": "track-1",
        "title": "Группа крови",
        "artists": ["Кино"],
        "album": None,
        "duration_ms": 180_000,
        "cover_uri": None,
        "explicit": False,
        "private": False,
    }


async def test_writes_a_heartbeat_of_which_nobody_hears(world: Any) -> None:
    await world.opened()
    await world.reports()
    before = await _player(world)
    heard = list[str]()
    listener = pg.Listener(world.music.dsn, "test", {"music_players": heard.append})
    await listener.start()
    await until(lambda: listener.is_connected)
    assert (await world.reports()).body == {"version": 2, "commands": []}
    assert (await world.reports(state={"volume": 7})).body["version"] == 3
    await until(lambda: heard)
    await listener.close()
    assert heard == ["order-1 3"]
    after = await _player(world)
    assert after["report_seq"] == before["report_seq"] + 2
    assert after["reported_at"] > before["reported_at"]
    assert after["touched_at"] > before["touched_at"]


async def test_hands_out_what_is_open_with_every_report(world: Any) -> None:
    await world.opened()
    await world.reports()
    pressed = await world.press("play_item", {"type": "track", "id": "7"})
    for _ in range(2):
        (told,) = (await world.reports()).body["commands"]
        left_s = (datetime.datetime.fromisoformat(told.pop("expires_at")) - datetime.datetime.now(datetime.UTC)).seconds
        assert 13_000 < told.pop("expires_in_ms") <= 15_000
        assert left_s <= 15
        assert told == {
            "seq": 1,
            "command_id": pressed.body["command_id"],
            "action": "play_item",
            "args": {"type": "track", "id": "7"},
        }
        assert await _fates(world) == [("delivered", None, None)]
    assert (await world.reports(1, applied_seq=1)).body["commands"] == []
    assert await _fates(world) == [("applied", None, None)]


def test_answers_what_its_description_says() -> None:
    now = datetime.datetime.now(datetime.UTC)
    later = now + datetime.timedelta(seconds=9)
    orders = model.Orders(3, [Open(1, "id", Action.SEEK, {"position_ms": 1}, Status.QUEUED, now, later, now)])
    assert schemas.answer(orders) == schemas.ORDERS.dump(orders)
    assert schemas.answer(orders)["commands"][0]["expires_in_ms"] == 9000


async def test_writes_down_every_result(world: Any) -> None:
    await world.opened()
    await world.reports()
    counted = metrics.value("music_command_applied_seconds_count", action="next")
    for _ in range(4):
        last = await world.press()
    results = [1, {"seq": 2, "result": "failed", "reason": "no_licence"}, {"seq": 3, "result": "rejected"}]
    answer = await world.reports(*reversed(results), applied_seq=3)
    assert [each["seq"] for each in answer.body["commands"]] == [4]
    assert await _fates(world) == [
        ("applied", None, None),
        ("failed", "no_licence", None),
        ("failed", "rejected", None),
        ("delivered", None, None),
    ]
    player = await _player(world)
    assert (player["applied_seq"], player["last_error"]["code"]) == (3, "rejected")
    assert metrics.value("music_command_applied_seconds_count", action="next") == counted + 1
    await world.reports(applied_seq=4)
    assert (await _fates(world))[3] == ("failed", "no_result", None)
    error = {"command_id": last.body["command_id"], "code": "no_result"}
    assert (await _player(world))["last_error"] == error
    await world.press()
    assert (await _player(world))["last_error"] is None


async def test_applies_many_at_once_whatever_their_order(world: Any) -> None:
    await world.opened()
    for _ in range(6):
        await world.press()
    await world.reports(*range(6, 0, -1), applied_seq=6)
    assert {fate[0] for fate in await _fates(world)} == {"applied"}
    assert (await _player(world))["applied_seq"] == 6


async def test_notes_a_result_after_the_expiry_and_changes_nothing(world: Any) -> None:
    await world.opened()
    await world.press()
    await world.pulls()
    await world.pass_time(seconds=15)
    first = await world.reports(1, applied_seq=1)
    assert await _fates(world) == [("expired", None, "applied")]
    player = await _player(world)
    assert (player["last_error"]["code"], player["applied_seq"]) == ("expired", 1)
    again = await world.reports({"seq": 1, "result": "failed"}, applied_seq=1)
    assert again.body == first.body
    assert await _fates(world) == [("expired", None, "applied")]


async def test_takes_a_repeated_result_for_no_late_one(world: Any) -> None:
    await world.opened()
    await world.press()
    await world.reports(1, applied_seq=1)
    await world.reports(1, applied_seq=1)
    assert await _fates(world) == [("applied", None, None)]
    await world.reports({"seq": 1, "result": "failed"}, applied_seq=1)
    assert await _fates(world) == [("applied", None, "failed")]


async def test_changes_nothing_by_an_older_report(world: Any) -> None:
    await world.opened()
    await world.press()
    await world.reports()
    await world.reports(state={"volume": 7})
    before = await _player(world)
    for report_seq in (1, 2):
        answer = await world.reports(1, applied_seq=1, report_seq=report_seq, state={"volume": 99})
        assert answer.status == 200
        assert answer.body["version"] == before["version"]
        assert [each["seq"] for each in answer.body["commands"]] == [1]
    assert await _player(world) == before
    assert await _fates(world) == [("delivered", None, None)]


async def test_follows_a_new_session_and_never_a_former_one(world: Any) -> None:
    await world.opened()
    await world.reports()
    newer = await world.reports(device_session="session-2", report_seq=1)
    assert newer.status == 200
    former = await world.reports(report_seq=99)
    assert (former.status, former.code) == (409, "device_session_replaced")
    assert (await world.reports(device_session="session-2", report_seq=2)).status == 200
    assert (await _player(world))["device_session"] == "session-2"


@pytest.mark.parametrize("told", [{"applied_seq": 2}, {"results": [{"seq": 2, "result": "applied"}]}])
async def test_knows_no_command_that_was_never_issued(world: Any, told: Any) -> None:
    await world.opened()
    await world.press()
    answer = await world.reports(**told)
    assert (answer.status, answer.code, answer.body["details"]) == (400, "seq_unknown", {"last_seq": 1})
    assert (await _player(world))["report_seq"] is None


async def test_is_for_the_players_driver(world: Any) -> None:
    await world.opened()
    body = {"order_id": "order-1", "device_session": "s", "report_seq": 1, "applied_seq": 0}
    body["state"] = {"playback": "stopped", "track": None}
    for order_id, driver in (("order-1", STRANGER), ("nowhere", world.driver)):
        answer = await world.as_driver("POST", "update", body | {"order_id": order_id}, driver=driver)
        assert (answer.status, answer.code) == (403, "not_your_player")
        answer = await world.as_driver("GET", f"commands?order_id={order_id}", driver=driver)
        assert (answer.status, answer.code) == (403, "not_your_player")
    answer = await world.music.ask("passenger-authorizer", "POST", "/driver/v1/music/v1/player/update", body)
    assert (answer.status, answer.code) == (403, "caller_not_allowed")


async def test_tells_the_driver_of_a_closed_player_to_stop(world: Any) -> None:
    await world.opened()
    await world.press()
    await world.closes("complete")
    for answer in (await world.reports(1, applied_seq=1), await world.pulls()):
        assert (answer.status, answer.code, answer.body["details"]) == (410, "player_closed", {"reason": "complete"})
    assert await _fates(world) == [("cancelled", "complete", None)]


@pytest.mark.parametrize(
    "changed",
    [
        {"report_seq": 0},
        {"report_seq": True},
        {"device_session": ""},
        {"applied_seq": -1},
        {"results": [{"seq": 1, "result": "done"}]},
        {"results": [{"seq": 1, "result": "applied"}, {"seq": 1, "result": "failed"}]},
        {"results": [{"seq": 0, "result": "applied"}]},
        {"state": {"playback": "loud"}},
        {"state": {"volume": 101}},
        {"state": {"volume": "50"}},
        {"state": {"position_at": None}},
        {"state": {"position_ms": -1}},
        {"state": {"position_at": "today"}},
        {"state": {"track": {"id": "1"}}},
        {"state": {"disallows": [{"action": "stop", "reason": "x"}]}},
        {"state": {"disallows": [{"action": "next", "reason": ""}]}},
        {"state": {"battery": 5}},
    ],
)
async def test_refuses_what_is_no_report(world: Any, changed: Any) -> None:
    await world.opened()
    answer = await world.reports(**changed)
    assert (answer.status, answer.code) == (400, "request_invalid")
    assert (await _player(world))["report_seq"] is None


async def test_counts_on_for_a_taximeter_that_gets_its_order_back(world: Any) -> None:
    create = "/internal/music/v1/player/create"
    await world.music.ask("processing", "POST", create, world.assignment(event_seq=1))
    first = (await world.press("pause")).body["seq"]
    assert (await world.reports(first, applied_seq=first)).status == 200
    await world.music.ask("processing", "POST", create, world.assignment(event_seq=2, driver_profile_id="driver-2"))
    await world.music.ask("processing", "POST", create, world.assignment(event_seq=3))
    second = (await world.press("next")).body["seq"]
    told = await world.reports(applied_seq=first)
    assert [command["seq"] for command in told.body["commands"]] == [second]
    assert second > first
