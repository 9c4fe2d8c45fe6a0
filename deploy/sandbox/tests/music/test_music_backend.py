"""The backend of Music: temporary tokens, and the catalogue that a car reads with them."""

from pathlib import Path
from typing import Any

import pytest

from testkit import waiting

TOKENS = "/music-backend/v1/temporary-tokens"
TOKEN = "/driver/v1/music/v1/player/token"
ASKED = {
    "id": "grant-1",
    "yandex_uid": "4001",
    "order_id": "order-1",
    "park_id": "demo-park",
    "driver_profile_id": "driver-1",
    "ttl_s": 600,
}


async def issue(sandbox: Any, **changes: Any) -> tuple[int, Any]:
    status, answer = await sandbox.call("POST", TOKENS, "music", json=ASKED | changes)
    return status, answer


async def read(sandbox: Any, token: str, item: str = "album/ring-road") -> tuple[int, Any]:
    headers = {"Authorization": f"OAuth {token}"}
    status, answer = await sandbox.call("GET", f"/music-backend/v1/items/{item}", None, headers=headers)
    return status, answer


async def test_gives_one_token_per_id(sandbox: Any) -> None:
    first, again = await issue(sandbox), await issue(sandbox)
    assert first == again
    assert set(first[1]) == {"id", "token", "expires_at"}
    status, answer = await issue(sandbox, order_id="order-2")
    assert (status, answer["code"]) == (409, "id_reused")
    assert (await issue(sandbox, id="grant-2"))[1]["token"] != first[1]["token"]


async def test_never_gives_a_revoked_token_again(sandbox: Any) -> None:
    _, given = await issue(sandbox)
    for _ in range(2):
        assert await sandbox.ok("DELETE", f"{TOKENS}/grant-1", "music") == {}
    status, answer = await issue(sandbox)
    assert (status, answer["code"]) == (410, "token_revoked")
    assert (await read(sandbox, given["token"]))[1]["code"] == "token_revoked"


async def test_remembers_the_revocation_of_what_was_never_asked_for(start: Any, tmp_path: Path) -> None:
    sandbox = await start(tmp_path / "state.json")
    await sandbox.ok("DELETE", f"{TOKENS}/grant-1", "music")
    again = await start(tmp_path / "state.json")
    assert (await issue(again))[0] == 410


async def test_shows_items_to_the_holder_of_a_token(sandbox: Any) -> None:
    _, given = await issue(sandbox)
    status, answer = await read(sandbox, given["token"])
    assert status == 200
    assert answer["context"] == {"type": "album", "id": "ring-road", "title": "Ring Road"}
    assert [track["explicit"] for track in answer["tracks"]] == [False, False, True, False]
    assert set(answer["tracks"][0]) == {
        *("id", "title", "artists", "album", "duration_ms", "cover_uri", "explicit", "private")
    }
    assert (await read(sandbox, given["token"], "track/track-13"))[1]["tracks"] == [answer["tracks"][2]]


async def test_shows_a_private_playlist_to_its_owner_alone(sandbox: Any) -> None:
    _, own = await issue(sandbox)
    _, other = await issue(sandbox, id="grant-2", yandex_uid="4002")
    status, answer = await read(sandbox, own["token"], "playlist/private-4001")
    assert (status, {track["private"] for track in answer["tracks"]}) == (200, {True})
    status, answer = await read(sandbox, other["token"], "playlist/private-4001")
    assert (status, answer["code"]) == (404, "item_not_found")


@pytest.mark.parametrize(("token", "code"), [("nothing", "token_unknown"), ("", "token_missing")])
async def test_shows_nothing_without_a_token(sandbox: Any, token: str, code: str) -> None:
    status, answer = await read(sandbox, token)
    assert (status, answer["code"]) == (401, code)


async def test_ends_a_token_in_time(sandbox: Any) -> None:
    _, given = await issue(sandbox, ttl_s=1)
    assert (await read(sandbox, given["token"]))[0] == 200

    async def is_over() -> bool:
        return (await read(sandbox, given["token"]))[0] == 401

    await waiting.until(is_over)
    assert (await read(sandbox, given["token"]))[1]["code"] == "token_expired"


async def test_shows_the_app_all_there_is(sandbox: Any) -> None:
    person = await sandbox.person(yandex_uid="4001")
    everybody = (await sandbox.ok("GET", "/music-backend/_catalogue", None))["items"]
    mine = (await sandbox.ok("GET", f"/music-backend/_catalogue?session={person['session']}", None))["items"]
    assert len(mine) == len(everybody) + 1
    assert mine[0]["context"]["id"] == "private-4001"


@pytest.mark.parametrize(
    "changes", [{"extra": 1}, {"ttl_s": 0}, {"ttl_s": "600"}, {"yandex_uid": "alice"}, {"id": "with space"}]
)
async def test_refuses_a_broken_contract(sandbox: Any, changes: Any) -> None:
    status, answer = await issue(sandbox, **changes)
    assert (status, answer["code"]) == (400, "contract_violation")
    stats = await sandbox.ok("GET", "/_stats", None)
    assert stats["contract_violations"] == {"music-backend": 1}


async def test_lets_music_alone_ask_for_tokens(sandbox: Any) -> None:
    assert (await sandbox.call("POST", TOKENS, "maas", json=ASKED))[0] == 403
    assert (await sandbox.call("DELETE", f"{TOKENS}/grant-1", None))[0] == 401


async def settled(ride: Any, seq: int) -> dict[str, Any]:
    await waiting.until(lambda: seq in ride.player.results)
    return dict(ride.player.results[seq])


async def test_lets_the_car_play_what_is_private(ride: Any) -> None:
    assert (await settled(ride, ride.play("playlist", "private-4001")))["result"] == "applied"
    assert (await ride.heard())["track"]["private"] is True
    [(caller, *_, asked)] = ride.music.to(TOKEN)
    assert (caller, asked) == ("driver-authproxy", {"order_id": ride.order_id})


async def test_says_why_the_car_can_not_play(ride: Any) -> None:
    assert (await settled(ride, ride.play("album", "none")))["reason"] == "item_not_found"
    await ride.sandbox.ok("PUT", "/_faults/music-backend", None, json={"mode": "down"})
    assert (await settled(ride, ride.play("album", "ring-road")))["reason"] == "music_unavailable"
    assert (await ride.heard())["playback"] == "stopped"


async def test_plays_nothing_without_a_token(ride: Any) -> None:
    ride.music.answer(TOKEN, 502)
    assert (await settled(ride, ride.command("play")))["reason"] == "no_token"


async def test_gets_another_token_for_one_that_was_refused(ride: Any) -> None:
    await settled(ride, ride.play("album", "ring-road"))
    await ride.sandbox.ok("DELETE", f"{TOKENS}/{ride.player.player_id}-1", "music")
    assert (await settled(ride, ride.play("album", "white-nights")))["result"] == "applied"
    assert len(ride.music.to(TOKEN)) == 2


async def test_renews_the_token_before_it_ends(ride: Any) -> None:
    ride.music.ttl_s = 1
    await settled(ride, ride.play("album", "ring-road"))
    first = (await ride.heard())["token_expires_at"]
    await waiting.until(lambda: len(ride.music.to(TOKEN)) > 1)
    grants = (await ride.sandbox.ok("GET", "/music-backend/_tokens", None))["grants"]
    assert grants[0]["expires_at"] == first

    async def is_renewed() -> bool:
        return bool((await ride.heard())["token_expires_at"] > first)

    await waiting.until(is_renewed)


async def test_shows_no_token_to_anybody(ride: Any) -> None:
    await settled(ride, ride.play("album", "ring-road"))
    [grant] = ride.sandbox.world.store.state.grants.values()
    for path in ("/_log", f"/taximeter/{ride.driver_id}", "/music-backend/_tokens", "/_stats"):
        assert grant.token not in str(await ride.sandbox.ok("GET", path, None))
