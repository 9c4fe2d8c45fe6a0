"""The tokens of a closed player are ended, also those of which nobody knows whether they exist (M-11)."""

from typing import Any

import pytest

from kit import metrics
from testkit import neighbours as mocks


async def _asks(world: Any) -> Any:
    return await world.as_driver("POST", "token", {"order_id": "order-1"})


async def _opened(world: Any) -> None:
    answer = await world.music.ask("processing", "POST", "/internal/music/v1/player/create", world.assignment())
    assert answer.body["player_id"], answer


async def _ends(world: Any) -> None:
    body = {"order_id": "order-1", "event_seq": 9, "reason": "completed"}
    answer = await world.music.ask("processing", "POST", "/internal/music/v1/player/close", body)
    assert answer.status == 200, answer


async def _revokes(world: Any) -> list[str]:
    outcomes: list[str] = await world.music.run_task("music.token.revoke")
    return outcomes


async def _grant_ids(world: Any, where: str = "true") -> list[str]:
    found: list[str] = await world.music.context.db.all(
        lambda grant_id: grant_id, f"SELECT grant_id FROM tokens.grants WHERE {where} ORDER BY asked_at"
    )
    return found


async def test_ends_every_living_token_of_a_closed_player(world: Any, backend: Any) -> None:
    await _opened(world)
    await _asks(world)
    await world.pass_time("tokens", seconds=400)
    await _asks(world)
    grants = await _grant_ids(world)
    assert len(grants) == 2
    assert await _revokes(world) == []
    await _ends(world)
    revoked = metrics.value("music_tokens_revoked_total")
    assert await _revokes(world) == ["done"]
    assert sorted(backend.revoked) == sorted(grants)
    assert await _grant_ids(world, "revoked_at IS NULL") == []
    assert metrics.value("music_tokens_revoked_total") == revoked + 2


async def test_ends_a_token_whose_answer_was_lost(world: Any, backend: Any) -> None:
    await world.configured(CLIENT_QOS={"default": {"timeout_ms": 500, "attempts": 1}})
    await _opened(world)
    world.neighbours.music_backend.fail("reset", times=1)
    assert (await _asks(world)).status == 502
    await _ends(world)
    assert await _revokes(world) == ["done"]
    assert backend.revoked == await _grant_ids(world)


async def test_refuses_a_token_that_came_when_the_player_was_closed(world: Any, backend: Any) -> None:
    await _opened(world)

    async def issued(call: mocks.Call) -> Any:
        await _ends(world)
        return backend.issued(call)

    world.neighbours.music_backend.on("POST", "/v1/temporary-tokens", answer=issued, times=1)
    answer = await _asks(world)
    assert (answer.status, answer.code) == (410, "player_closed")
    assert answer.body["details"] == {"reason": "completed"}
    assert await _revokes(world) == ["done"]
    assert backend.revoked == await _grant_ids(world)


async def test_orders_the_revocation_of_a_late_token_itself(world: Any, backend: Any) -> None:
    await _opened(world)
    closed = "UPDATE players.players SET status = 'closed', close_reason = 'idle', closed_at = now()"
    with world.meanwhile("music.tokens.actions._intended:after_commit", closed):
        answer = await _asks(world)
    assert (answer.status, answer.code) == (410, "player_closed")
    assert await _revokes(world) == ["done"]
    assert backend.revoked == await _grant_ids(world)


async def test_gives_no_token_once_the_revocation_was_faster(world: Any, backend: Any) -> None:
    await _opened(world)

    async def issued(call: mocks.Call) -> Any:
        await _ends(world)
        backend.revoked.append(call.json["id"])
        return backend.issued(call)

    world.neighbours.music_backend.on("POST", "/v1/temporary-tokens", answer=issued, times=1)
    answer = await _asks(world)
    assert (answer.status, answer.code) == (410, "player_closed")
    assert len(backend.asked) == 1


@pytest.mark.parametrize("how", ["reset", "silent", "500"])
async def test_tries_again_when_the_backend_is_sick(world: Any, backend: Any, how: str) -> None:
    await world.configured(CLIENT_QOS={"default": {"timeout_ms": 150, "attempts": 1}})
    await _opened(world)
    await _asks(world)
    await _ends(world)
    if how == "500":
        world.neighbours.music_backend.on("*", "/{rest}", {"code": "oops", "message": ""}, status=500, times=1)
    else:
        world.neighbours.music_backend.fail(how, times=1)
    assert await _revokes(world) == ["retry"]
    await world.execute("UPDATE stq.tasks SET due_at = now()")
    assert await _revokes(world) == ["done"]
    assert backend.revoked == await _grant_ids(world)


async def test_ends_the_others_when_one_can_not_be_ended(world: Any, backend: Any) -> None:
    await _opened(world)
    await _asks(world)
    await world.pass_time("tokens", seconds=400)
    await _asks(world)
    older, newer = await _grant_ids(world)
    await _ends(world)
    refused = {"code": "oops", "message": ""}
    world.neighbours.music_backend.on("DELETE", f"/v1/temporary-tokens/{newer}", refused, status=400)
    assert await _revokes(world) == ["retry"]
    assert backend.revoked == [older]


async def test_stops_trying_when_no_token_can_be_good(world: Any, backend: Any) -> None:
    await _opened(world)
    await _asks(world)
    await _ends(world)
    world.neighbours.music_backend.on("DELETE", "/v1/temporary-tokens/{id}", {"code": "x", "message": ""}, status=500)
    assert await _revokes(world) == ["retry"]
    await world.pass_time("tokens", seconds=600 + 301)
    await world.execute("UPDATE stq.tasks SET due_at = now()")
    assert await _revokes(world) == ["done"]


async def test_does_not_touch_the_tokens_of_an_active_player(world: Any, backend: Any) -> None:
    await _opened(world)
    await _asks(world)
    async with world.music.context.db.transaction() as tx:
        player_id = (await tx.one(dict, "SELECT player_id FROM players.players"))["player_id"]
        kwargs = {"player_id": player_id}
        await world.music.context.queue.enqueue(tx, "music.token.revoke", task_id=player_id, kwargs=kwargs)
    assert await _revokes(world) == ["done"]
    assert backend.revoked == []


async def test_gives_the_next_driver_a_token_of_its_own(world: Any, backend: Any) -> None:
    await _opened(world)
    await _asks(world)
    (first,) = await _grant_ids(world)
    body = world.assignment(event_seq=2, driver_profile_id="driver-2")
    assert (await world.music.ask("processing", "POST", "/internal/music/v1/player/create", body)).status == 200
    assert (await _asks(world)).status == 410
    assert await _revokes(world) == ["done"]
    assert backend.revoked == [first]
    second = await world.as_driver(
        "POST", "token", {"order_id": "order-1"}, driver=type(world.driver)("park-1", "driver-2")
    )
    assert second.status == 200
    assert second.body["token"] != f"secret-{first}"
