"""A temporary token for the taximeter (M-08..M-11): the same while it is fresh, for its own driver, kept nowhere."""

import asyncio
import datetime
import io
from typing import Any

import pytest

from kit import clock, failpoints, identity, logs, pg

OTHERS = [
    identity.Driver("park-1", "driver-2"),
    identity.Driver("park-2", "driver-1"),
]


async def _asks(world: Any, **changed: Any) -> Any:
    return await world.as_driver("POST", "token", {"order_id": "order-1"} | changed)


async def _grants(world: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await world.music.context.db.all(
        dict, "SELECT * FROM tokens.grants ORDER BY asked_at, grant_id"
    )
    return found


async def test_gives_a_token_of_the_backend(world: Any, backend: Any) -> None:
    player_id = await world.opened()
    answer = await _asks(world)
    assert answer.status == 200, answer
    (grant,) = await _grants(world)
    assert answer.body["token"] == f"secret-{grant['grant_id']}"
    left = datetime.datetime.fromisoformat(answer.body["expires_at"]) - clock.now()
    assert datetime.timedelta(seconds=590) < left <= datetime.timedelta(seconds=600)
    assert set(answer.body) == {"token", "expires_at"}
    assert backend.asked == [
        {
            "id": grant["grant_id"],
            "yandex_uid": "4001",
            "order_id": "order-1",
            "park_id": "park-1",
            "driver_profile_id": "driver-1",
            "ttl_s": 600,
        }
    ]
    assert (grant["player_id"], grant["revoked_at"]) == (player_id, None)
    assert clock.to_wire(grant["expires_at"]) == answer.body["expires_at"]


async def test_gives_the_same_token_until_half_of_its_life_is_over(world: Any, backend: Any) -> None:
    await world.opened()
    first = await _asks(world)
    await world.pass_time("tokens", seconds=290)
    assert (await _asks(world)).body["token"] == first.body["token"]
    assert len({asked["id"] for asked in backend.asked}) == 1
    await world.execute("UPDATE tokens.grants SET expires_at = now() + interval '299 s'")
    assert (await _asks(world)).body["token"] != first.body["token"]
    assert len(await _grants(world)) == 2


async def test_asks_by_the_old_terms_when_the_config_changes(world: Any, backend: Any) -> None:
    await world.opened()
    await _asks(world)
    await world.configured(MUSIC_TOKEN_TTL_S=900)
    await _asks(world)
    assert [asked["ttl_s"] for asked in backend.asked] == [600, 600]
    await world.pass_time("tokens", seconds=400)
    await _asks(world)
    assert backend.asked[-1]["ttl_s"] == 900


async def test_makes_one_grant_for_requests_at_once(world: Any, backend: Any) -> None:
    await world.opened()
    answers = await asyncio.gather(*(_asks(world) for _ in range(6)))
    assert [answer.status for answer in answers] == [200] * 6
    assert len({answer.body["token"] for answer in answers}) == 1
    assert len(await _grants(world)) == 1


@pytest.mark.parametrize("driver", OTHERS, ids=["driver", "park"])
async def test_refuses_another_driver(world: Any, backend: Any, driver: Any) -> None:
    await world.opened()
    answer = await world.as_driver("POST", "token", {"order_id": "order-1"}, driver=driver)
    assert (answer.status, answer.code) == (403, "not_your_player")
    assert (await _grants(world), backend.asked) == ([], [])


async def test_refuses_an_unknown_order(world: Any, backend: Any) -> None:
    answer = await _asks(world)
    assert (answer.status, answer.code) == (403, "not_your_player")


async def test_refuses_a_closed_player(world: Any, backend: Any) -> None:
    await world.opened()
    await world.execute("UPDATE players.players SET status = 'closed', close_reason = 'idle', closed_at = now()")
    answer = await _asks(world)
    assert (answer.status, answer.code) == (410, "player_closed")
    assert answer.body["details"] == {"reason": "idle"}
    assert (await _grants(world), backend.asked) == ([], [])


@pytest.mark.parametrize("body", [{}, {"order_id": ""}, {"order_id": 1}, {"order_id": "order-1", "token": "x"}])
async def test_refuses_what_is_malformed(world: Any, body: Any) -> None:
    answer = await world.as_driver("POST", "token", body)
    assert (answer.status, answer.code) == (400, "request_invalid")


@pytest.mark.parametrize("caller", ["passenger-authorizer", "processing", "totw"])
async def test_refuses_other_callers(world: Any, caller: str) -> None:
    headers = {"X-Yandex-UID": "4001", "X-YaTaxi-Park-Id": "park-1", "X-YaTaxi-Driver-Profile-Id": "driver-1"}
    body = {"order_id": "order-1"}
    answer = await world.music.ask(caller, "POST", "/driver/v1/music/v1/player/token", body, headers=headers)
    assert (answer.status, answer.code) == (403, "caller_not_allowed")


@pytest.mark.parametrize(
    ("how", "statuses"),
    [("reset", {502}), ("garbage", {502}), ("truncated", {502}), ("drip", {504}), ("silent", {504}), ("500", {502})],
)
async def test_loses_nothing_when_the_backend_is_sick(world: Any, backend: Any, how: str, statuses: set[int]) -> None:
    await world.configured(CLIENT_QOS={"default": {"timeout_ms": 150, "attempts": 1}})
    await world.opened()
    if how == "500":
        world.neighbours.music_backend.on(
            "POST", "/v1/temporary-tokens", {"code": "x", "message": ""}, status=500, times=1
        )
    else:
        world.neighbours.music_backend.fail(how, times=1)
    failed = await _asks(world)
    assert failed.status in statuses, failed
    assert failed.code.startswith("neighbour_")
    answer = await _asks(world)
    assert answer.status == 200
    (grant,) = await _grants(world)
    assert answer.body["token"] == f"secret-{grant['grant_id']}"


async def test_says_so_when_the_backend_is_down(world: Any) -> None:
    await world.opened()
    await world.neighbours.close()
    failed = await _asks(world)
    assert (failed.status, failed.code, failed.body["details"]["reason"]) == (502, "neighbour_failed", "not_connected")
    assert failed.headers["X-Should-Retry"] == "true"


@pytest.mark.parametrize(
    "place",
    [
        "music.tokens.actions._intended:before_commit",
        "music.tokens.actions._intended:after_commit",
        "music-backend.issue_token:before_call",
        "music-backend.issue_token:after_call",
        "music.tokens.actions._note:before_commit",
        "music.tokens.actions._note:after_commit",
    ],
)
async def test_gives_the_same_token_after_it_broke_off(world: Any, backend: Any, place: str) -> None:
    await world.opened()
    reached = list[str]()

    def breaks(name: str) -> None:
        if name == place:
            reached.append(name)
            raise RuntimeError

    failpoints.arm(breaks)
    try:
        assert (await _asks(world)).status == 500
    finally:
        failpoints.arm(None)
    assert reached == [place]
    answer = await _asks(world)
    (grant,) = await _grants(world)
    assert answer.body["token"] == f"secret-{grant['grant_id']}"
    assert {asked["id"] for asked in backend.asked} == {grant["grant_id"]}


async def test_makes_a_new_grant_when_the_backend_ended_the_old_one(world: Any, backend: Any) -> None:
    await world.opened()
    await _asks(world)
    (old,) = await _grants(world)
    backend.revoked.append(old["grant_id"])
    answer = await _asks(world)
    assert answer.status == 200
    grants = {grant["grant_id"]: grant for grant in await _grants(world)}
    assert grants.pop(old["grant_id"])["revoked_at"] is not None
    assert [f"secret-{grant_id}" for grant_id in grants] == [answer.body["token"]]


async def test_keeps_the_token_nowhere(world: Any, backend: Any) -> None:
    await world.opened()
    written = io.BytesIO()
    logs.setup("music", "DEBUG", written)
    try:
        token = (await _asks(world)).body["token"]
        logs.info("token_issued", token=token, expires_at="now")
        world.neighbours.music_backend.on(
            "POST", "/v1/temporary-tokens", answer={"id": "x", "token": token, "expires_at": "never"}, times=1
        )
        assert (await _asks(world)).status == 502
    finally:
        logs._open("INFO", None)
    lines = written.getvalue().decode()
    assert '"operation":"/driver/v1/music/v1/player/token"' in lines
    assert '"event":"token_issued"' in lines
    assert token not in lines
    db = world.music.context.db
    tables = await db.all(
        pg.value,
        """SELECT schemaname || '.' || tablename FROM pg_tables
           WHERE schemaname NOT IN ('pg_catalog', 'information_schema')""",
    )
    assert "tokens.grants" in tables
    for table in tables:
        assert token not in await db.one(
            pg.value, f"SELECT coalesce(string_agg(t::text, ' '), '') AS rows FROM {table} t"
        ), table
