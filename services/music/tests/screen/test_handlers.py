"""What one poll is answered."""

import asyncio
from typing import Any

import orjson
import pytest

from kit import clock, identity, metrics
from music.players.model import Action, Connection, Playback, State
from music.screen import model, schemas
from testkit.waiting import until

from .conftest import PATH, STRANGER, TRACK, reads

ALLOWED = {"allowed": True}


async def test_shows_what_the_taximeter_reported(client: Any, world: Any) -> None:
    player_id = await world.opened()
    assert (await client.reports(disallows=[{"action": "next", "reason": "ads"}])).status == 200
    shown = await client.polls()
    assert shown.status == 200
    assert shown.headers["ETag"] == f'"{shown.body["version"]}"'
    assert shown.headers["Content-Type"] == "application/json; charset=utf-8"
    assert shown.body == {
        "player_id": player_id,
        "version": 2,
        "playback": "playing",
        "track": TRACK,
        "position_ms": 1000,
        "position_at": "2026-01-31T09:00:00+00:00",
        "volume": 40,
        "actions": dict.fromkeys(("play", "pause", "previous", "play_item", "set_volume", "seek"), ALLOWED)
        | {"next": {"allowed": False, "reason": "ads"}},
        "pending": None,
        "last_error": None,
        "connection": "online",
        "polling_interval_ms": 1000,
    }


async def test_shows_a_player_that_nobody_has_heard_of_yet(client: Any, world: Any) -> None:
    await world.opened()
    shown = (await client.polls()).body
    assert (shown["connection"], shown["playback"], shown["track"]) == ("connecting", "stopped", None)
    assert (shown["position_ms"], shown["position_at"], shown["volume"]) == (None, None, None)
    assert shown["actions"]["seek"] == {"allowed": False, "reason": "no_state"}
    assert shown["actions"]["play"] == ALLOWED


async def test_shows_the_newest_pending_command_and_the_last_error(client: Any, world: Any) -> None:
    await world.opened()
    await client.commands("pause")
    command = (await client.commands("play")).body
    pending = (await client.polls()).body["pending"]
    assert (pending["command_id"], pending["seq"], pending["action"]) == (command["command_id"], 2, "play")
    assert "+00:00" in pending["deadline"]
    await world.execute(
        "UPDATE commands.commands SET status = 'failed', reason = 'sdk', settled_at = now() WHERE seq = 2"
    )
    await world.execute(
        """UPDATE players.players SET version = version + 1, last_error = '{"command_id": "c", "code": "sdk"}'"""
    )
    await until(lambda: _shows(client, last_error={"command_id": "c", "code": "sdk"}))
    assert (await client.polls()).body["pending"]["seq"] == 1


async def _shows(client: Any, **wanted: Any) -> bool:
    body = (await client.polls()).body
    return {name: body[name] for name in wanted} == wanted


STATES = [
    None,
    State(Playback.PAUSED, None, None, None, None, None, {}),
    State(Playback.PLAYING, TRACK, 5, clock.now(), 100, {"type": "album"}, {Action.NEXT: "ads"}),
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("pending", [None, model.Pending("c-1", 7, Action.SEEK, clock.now())])
def test_encodes_what_its_schema_says(state: State | None, pending: model.Pending | None) -> None:
    last_error = None if pending is None else {"command_id": "c", "code": "x"}
    view = model.View("player", 9, Connection.ONLINE, state, pending, last_error)
    head = model.Screen.of("4001", view).head
    described = schemas.STATE.dump(
        {name: getattr(view, name) for name in schemas.STATE.fields if name != "polling_interval_ms"}
        | {"polling_interval_ms": 1000}
    )
    assert orjson.loads(head + b',"polling_interval_ms":1000}') == described
    assert set(described) == set(schemas.STATE.fields)


@pytest.mark.parametrize("known", ['"1"', 'W/"1"', '"0", "1"', ' W/"x" ,\t"1" ', "*", '"1",W/"2"'])
async def test_says_that_nothing_changed(client: Any, world: Any, known: str) -> None:
    await world.opened()
    answer = await client.polls(known)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == '"1"'


@pytest.mark.parametrize("known", ['"0"', '"x"', 'W/"7"', '"1x"', '""', '"0", W/"2"', '"99999999999999999999999"'])
async def test_shows_the_player_to_whoever_names_another_version(client: Any, world: Any, known: str) -> None:
    await world.opened()
    assert (await client.polls(known)).status == 200


@pytest.mark.parametrize("known", ["1", '"1', '"1 "', '"1";', '"1" "2"', 'w/"1"', '*, "1"', ","])
async def test_refuses_a_malformed_version(client: Any, world: Any, known: str) -> None:
    await world.opened()
    answer = await client.polls(known)
    assert (answer.status, answer.code) == (400, "version_malformed")


@pytest.mark.parametrize(
    "query",
    ["", "?order_id=", "?order_id=order-1&x=1", "?order_id=order-1&order_id=order-1", "?wait_ms=1"]
    + [f"?order_id=order-1&wait_ms={wrong}" for wrong in ("-1", "25001", "1.5", "x", "")],
)
async def test_refuses_a_malformed_query(client: Any, world: Any, query: str) -> None:
    await world.opened()
    answer = await client.live.as_passenger(world.passenger, "GET", PATH + query)
    assert answer.status == 400


async def test_refuses_callers_and_requests_without_a_person(client: Any, world: Any) -> None:
    assert (await client.live.ask("totw", "GET", f"{PATH}?order_id=order-1")).status == 403
    assert (await client.live.ask(identity.PASSENGER_GATEWAY, "GET", f"{PATH}?order_id=order-1")).status == 401
    assert (await client.live.ask(None, "GET", f"{PATH}?order_id=order-1")).status == 401


async def test_says_why_there_is_no_music(client: Any, world: Any) -> None:
    answer = await client.polls()
    assert (answer.status, answer.code, answer.body["details"]) == (406, "player_unavailable", {"reason": "no_player"})
    await _is_not_opened(world)
    await until(lambda: _refuses(client, "not_eligible"))
    await world.opened()
    await until(lambda: _shows_player(client))
    await world.execute(
        "UPDATE players.players SET status = 'closed', close_reason = 'x', closed_at = now(), version = version + 1"
    )
    # The order's last driver is the one without music.
    await until(lambda: _refuses(client, "not_eligible"))
    await world.execute("UPDATE orders.orders SET event_seq = 2, not_opened_reason = NULL")
    await until(lambda: _refuses(client, "closed"))


async def test_tells_a_stranger_nothing(client: Any, world: Any) -> None:
    await world.opened()
    await _is_not_opened(world, "order-2")
    for order_id in ("order-1", "order-2", "order-3"):
        for known in (None, "*", 1):
            answer = await client.polls(known, person=STRANGER, order_id=order_id, wait_ms=9000)
            assert (answer.status, answer.body["details"]) == (406, {"reason": "no_player"})


async def _is_not_opened(world: Any, order_id: str = "order-1") -> None:
    await world.execute(
        "INSERT INTO orders.orders (order_id, event_seq, event, yandex_uid, park_id, driver_profile_id,"
        " not_opened_reason) VALUES (%(order_id)s, 1, 'assigned', '4001', 'p', 'd', 'no_plus')",
        order_id=order_id,
    )


async def _refuses(client: Any, reason: str) -> bool:
    answer = await client.polls()
    return bool(answer.status == 406 and answer.body["details"] == {"reason": reason})


async def _shows_player(client: Any) -> bool:
    return bool((await client.polls()).status == 200)


async def test_answers_from_memory_and_counts_polls_by_outcome(client: Any, world: Any) -> None:
    await world.opened()
    await client.polls()
    before = {outcome: metrics.value("music_polls_total", outcome=outcome) for outcome in ("200", "304", "406")}
    memory, database = reads("memory"), reads("database")
    for known in (None, 1, 0):
        await client.polls(known)
    await client.polls(person=STRANGER)
    after = {outcome: metrics.value("music_polls_total", outcome=outcome) for outcome in ("200", "304", "406")}
    assert {outcome: after[outcome] - before[outcome] for outcome in after} == {"200": 2, "304": 1, "406": 1}
    assert reads("database") == database
    assert reads("memory") >= memory + 4


async def test_gathers_many_orders_in_one_statement(client: Any, world: Any) -> None:
    for number in range(20):
        await world.opened(f"order-{number}")
    statements = metrics.value("pg_query_seconds_count", pool="music")
    loads = metrics.value("cache_loads_total", cache="players")
    answers = await asyncio.gather(*(client.polls(order_id=f"order-{number}") for number in range(20)))
    assert [answer.body["player_id"] for answer in answers] == [f"player-of-order-{number}" for number in range(20)]
    assert metrics.value("pg_query_seconds_count", pool="music") - statements < 20
    assert metrics.value("cache_loads_total", cache="players") - loads < 20


async def test_tells_how_often_to_poll_as_configured(client: Any, world: Any) -> None:
    await world.opened()
    assert (await client.polls()).body["polling_interval_ms"] == 1000
    await world.configured(MUSIC_POLLING={"interval_ms": 2500, "from_status": "driving"})
    assert (await client.polls()).body["polling_interval_ms"] == 2500


async def test_tells_totw_whose_ride_has_music(client: Any, world: Any) -> None:
    async def told(order_id: str = "order-1", yandex_uid: str = "4001") -> Any:
        path = f"/internal/music/v1/totw?order_id={order_id}&yandex_uid={yandex_uid}"
        answer = await client.live.ask("totw", "GET", path)
        assert answer.status == 200
        return answer.body

    polling = {"poll_from_status": "transporting", "polling_interval_ms": 1000}
    assert await told() == {"enabled": False, **polling}
    await world.opened()
    await until(lambda: _shows_player(client))
    assert await told() == {"enabled": True, **polling}
    assert await told(yandex_uid="4002") == {"enabled": False, **polling}
    await world.execute(
        "UPDATE players.players SET status = 'closed', close_reason = 'x', closed_at = now(), version = version + 1"
    )
    await until(lambda: _refuses(client, "closed"))
    assert await told() == {"enabled": False, **polling}
    path = "/internal/music/v1/totw?order_id=order-1&yandex_uid=4001"
    assert (await client.live.ask("processing", "GET", path)).status == 403
    assert (await client.live.ask("totw", "GET", f"{path}&x=1")).status == 400
