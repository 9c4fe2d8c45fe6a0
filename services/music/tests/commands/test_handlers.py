"""Commands as the passenger's app sends them."""

import asyncio
import collections
import uuid
from typing import Any

import pytest

from music.commands import model, schemas
from music.players.model import Action

COMMANDS = "SELECT * FROM commands.commands ORDER BY seq"


async def test_issues_commands_with_their_pushes_and_versions(world: Any) -> None:
    await world.opened()
    first = await world.press("play")
    second = await world.press("play_item", {"type": "album", "id": "42", "offset": 3})
    assert first.status == second.status == 200
    assert {**first.body, "command_id": ""} == {"command_id": "", "seq": 1, "status": "queued", "version": 2}
    assert (second.body["seq"], second.body["version"]) == (2, 3)
    kept = await world.rows(COMMANDS)
    assert [(row["action"], row["args"], row["status"]) for row in kept] == [
        ("play", {}, "queued"),
        ("play_item", {"type": "album", "id": "42", "offset": 3}, "queued"),
    ]
    assert (kept[0]["expires_at"] - kept[0]["created_at"]).total_seconds() == 15
    assert await world.rows("SELECT last_seq, version, last_error FROM players.players") == [
        {"last_seq": 2, "version": 3, "last_error": None}
    ]
    tasks = await world.rows(
        "SELECT task_id, kwargs FROM stq.tasks WHERE queue = 'music.command.push' ORDER BY task_id"
    )
    assert [task["task_id"] for task in tasks] == ["player-of-order-1-1-1", "player-of-order-1-2-1"]
    assert tasks[0]["kwargs"] == {"player_id": "player-of-order-1", "seq": 1, "attempt": 1}


def test_answers_what_its_description_says() -> None:
    accepted = model.Accepted("id", 7, model.Status.FAILED, 9, Action.NEXT, {})
    assert schemas.answer(accepted) == schemas.ACCEPTED.dump(accepted)


async def test_gives_a_command_the_lifetime_of_its_action(world: Any) -> None:
    await world.opened()
    await world.configured(MUSIC_COMMANDS={"lifetime_s": 20, "lifetime_by_action_s": {"pause": 3}})
    await world.press("pause")
    await world.press("play")
    lifetimes = await world.rows(
        "SELECT extract(epoch FROM expires_at - created_at)::int AS s FROM commands.commands ORDER BY seq"
    )
    assert [row["s"] for row in lifetimes] == [3, 20]


@pytest.mark.parametrize(
    ("action", "args"),
    [
        ("play", {"volume": 1}),
        ("stop", {}),
        ("set_volume", {}),
        ("set_volume", {"volume": 101}),
        ("set_volume", {"volume": -1}),
        ("set_volume", {"volume": True}),
        ("set_volume", {"volume": "7"}),
        ("seek", {"position_ms": -1}),
        ("seek", {"position_ms": 86_400_001}),
        ("seek", {"position_ms": 1, "volume": 1}),
        ("play_item", {"type": "track"}),
        ("play_item", {"type": "video", "id": "1"}),
        ("play_item", {"type": "track", "id": "1", "offset": -1}),
        ("play_item", {"type": "track", "id": "a b"}),
        ("next", []),
    ],
)
async def test_refuses_what_is_no_command(world: Any, action: str, args: Any) -> None:
    await world.opened()
    body = {"order_id": "order-1", "command_id": str(uuid.uuid4()), "action": action, "args": args}
    answer = await world.as_passenger("POST", "command", body)
    assert (answer.status, answer.code) == (400, "request_invalid")
    assert await world.rows(COMMANDS) == []


async def test_refuses_what_is_no_uuid_and_what_it_does_not_know(world: Any) -> None:
    await world.opened()
    for changed in ({"command_id": "press-1"}, {"more": 1}, {"expected_version": -1}, {"order_id": ""}):
        answer = await world.press(**changed)
        assert (answer.status, answer.code) == (400, "request_invalid"), changed


async def test_names_the_argument_that_is_wrong(world: Any) -> None:
    answer = await world.press("set_volume", {"volume": 101})
    assert list(answer.body["details"]["fields"]) == ["body.args.volume"]


async def test_has_no_player_for_a_stranger_or_a_ride_without_music(world: Any) -> None:
    await world.opened()
    nowhere = await world.press(order_id="nowhere")
    assert (nowhere.status, nowhere.code, nowhere.body["details"]) == (
        406,
        "player_unavailable",
        {"reason": "no_player"},
    )
    await world.closes()
    closed = await world.press()
    assert (closed.status, closed.body["details"]) == (406, {"reason": "closed"})


async def test_repeats_a_stored_fate_whatever_has_happened(world: Any) -> None:
    await world.opened()
    press = {"command_id": str(uuid.uuid4())}
    first = await world.press("next", **press)
    assert (await world.press("next", **press)).body == first.body
    await world.closes("ride_finished")
    again = await world.press("next", **press)
    assert (again.status, again.body) == (200, first.body | {"status": "cancelled"})
    assert len(await world.rows(COMMANDS)) == 1


async def test_finds_the_fate_of_a_command_to_the_former_driver(world: Any) -> None:
    await world.opened()
    press = {"command_id": str(uuid.uuid4())}
    first = await world.press("next", **press)
    await world.closes("driver_changed")
    await world.execute(
        "INSERT INTO players.players (player_id, order_id, yandex_uid, park_id, driver_profile_id) "
        "VALUES ('second', 'order-1', '4001', 'park-2', 'driver-2')"
    )
    again = await world.press("next", **press)
    assert again.body == first.body | {"status": "cancelled"}
    fresh = await world.press("next")
    assert fresh.body["seq"] == first.body["seq"] + 1
    assert fresh.body["version"] > first.body["version"]


async def test_refuses_a_command_id_of_another_command(world: Any) -> None:
    await world.opened()
    press = {"command_id": str(uuid.uuid4())}
    await world.press("play_item", {"type": "track", "id": "1"}, **press)
    for action, args in (("next", {}), ("play_item", {"type": "track", "id": "2"})):
        answer = await world.press(action, args, **press)
        assert (answer.status, answer.code) == (409, "command_id_reused")


async def test_tells_a_stranger_nothing_of_a_command(world: Any) -> None:
    await world.opened()
    press = {"command_id": str(uuid.uuid4())}
    await world.press("next", **press)
    world.passenger = world.passenger.__class__("4002")
    answer = await world.press("next", **press)
    assert (answer.status, answer.body["details"]) == (406, {"reason": "no_player"})


async def test_refuses_a_command_to_a_player_that_has_changed(world: Any) -> None:
    await world.opened()
    assert (await world.press(expected_version=1)).status == 200
    answer = await world.press(expected_version=1)
    assert (answer.status, answer.code, answer.body["details"]) == (409, "version_mismatch", {"version": 2})
    assert (await world.press(expected_version=None)).status == 200


async def test_refuses_what_the_player_cannot_do(world: Any) -> None:
    await world.opened()
    assert (await world.press("set_volume", {"volume": 1})).body["details"]["reason"] == "no_state"
    await world.reports(state={"volume": None, "disallows": [{"action": "next", "reason": "end_of_playlist"}]})
    expected = {
        ("next", None): "end_of_playlist",
        ("set_volume", 5): "volume_unsupported",
        ("seek", 180_001): "beyond_track",
    }
    for (action, value), reason in expected.items():
        args = {"set_volume": {"volume": value}, "seek": {"position_ms": value}}.get(action, {})
        answer = await world.press(action, args)
        assert (answer.status, answer.code) == (409, "action_disallowed")
        assert answer.body["details"] == {"action": action, "reason": reason}
    assert (await world.press("seek", {"position_ms": 180_000})).status == 200
    await world.reports(state={"track": None, "position_ms": None, "position_at": None})
    assert (await world.press("seek", {"position_ms": 0})).body["details"]["reason"] == "no_track"


async def test_supersedes_what_is_queued_of_its_kind_alone(world: Any) -> None:
    await world.opened()
    await world.reports()
    await world.press("set_volume", {"volume": 1})
    await world.pulls()
    for volume in (2, 3):
        await world.press("set_volume", {"volume": volume})
    await world.press("seek", {"position_ms": 5})
    for _ in range(2):
        await world.press("next")
    statuses = [row["status"] for row in await world.rows(COMMANDS)]
    assert statuses == ["delivered", "superseded", "queued", "queued", "queued", "queued"]


async def test_limits_commands_and_says_when_there_is_room(world: Any) -> None:
    await world.opened()
    press = {"command_id": str(uuid.uuid4())}
    first = await world.press("next", **press)
    for _ in range(9):
        assert (await world.press()).status == 200
        assert (await world.press("next", **press)).body == first.body
    answer = await world.press()
    assert (answer.status, answer.code) == (429, "too_many_commands")
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
    assert (await world.press("next", **press)).body == first.body
    await world.pass_time(seconds=5)
    assert (await world.press()).status == 200


async def test_takes_exactly_the_limit_of_32_at_once(world: Any) -> None:
    await world.opened()
    answers = await asyncio.gather(*(world.press() for _ in range(32)))
    outcomes = collections.Counter((answer.status, answer.code) for answer in answers)
    assert outcomes == {(200, None): 10, (429, "too_many_commands"): 22}
    assert sorted(answer.body["seq"] for answer in answers if answer.status == 200) == list(range(1, 11))
    assert await world.rows("SELECT last_seq FROM players.players") == [{"last_seq": 10}]


async def test_numbers_32_at_once_without_a_gap(world: Any) -> None:
    await world.opened()
    await world.configured(MUSIC_COMMANDS={"limit": 100})
    answers = await asyncio.gather(*(world.press() for _ in range(32)))
    told = sorted((answer.body["seq"], answer.body["version"]) for answer in answers)
    assert told == [(number, number + 1) for number in range(1, 33)]


async def test_gives_32_parallel_repeats_one_command(world: Any) -> None:
    await world.opened()
    press = {"command_id": str(uuid.uuid4())}
    answers = await asyncio.gather(*(world.press("next", **press) for _ in range(32)))
    assert {(answer.status, str(answer.body)) for answer in answers} == {(200, str(answers[0].body))}
    assert len(await world.rows(COMMANDS)) == 1


async def test_is_for_the_passenger_alone(world: Any) -> None:
    answer = await world.music.ask("processing", "POST", "/4.0/music/v1/player/command", {})
    assert (answer.status, answer.code) == (403, "caller_not_allowed")
