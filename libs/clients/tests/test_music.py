"""The neighbours of music: what their clients put on the wire and take from it."""

import datetime
from typing import Any

import pytest

from clients import communications, music_backend, plus
from kit import http_client
from testkit.neighbours import Neighbours

GRANT = music_backend.Grant("grant-1", "4001", "order-1", "park-1", "driver-1", 600)
PUSH = communications.DriverPush("park-1", "driver-1", "music_commands", {"order_id": "order-1"}, 15, "push-1")
TOKENS = "/v1/temporary-tokens"


# plus


@pytest.mark.parametrize("has_plus", [True, False])
async def test_knows_who_has_plus(neighbours: Neighbours, opened: Any, has_plus: bool) -> None:
    mock = neighbours.plus.on(
        "GET", "/internal/v1/subscriptions/status", {"has_plus": has_plus, "has_plus_multi": False, "subscriptions": []}
    )
    client = await opened(plus.Plus, neighbours.plus)
    assert await client.status("4001") == plus.Status(has_plus, has_plus_multi=False)
    assert dict(mock.calls[0].query) == {"yandex_uid": "4001"}


async def test_does_not_guess_what_plus_did_not_say(neighbours: Neighbours, opened: Any) -> None:
    neighbours.plus.on("GET", "/internal/v1/subscriptions/status", {"subscriptions": []})
    with pytest.raises(http_client.NeighbourGarbage):
        await (await opened(plus.Plus, neighbours.plus)).status("4001")


# music-backend


async def test_asks_for_the_token_of_a_grant(neighbours: Neighbours, opened: Any) -> None:
    answer = {"id": "grant-1", "token": "y0_secret", "expires_at": "2026-11-21T15:10:00+03:00"}
    mock = neighbours.music_backend.on("POST", TOKENS, answer)
    token = await (await opened(music_backend.MusicBackend, neighbours.music_backend)).issue_token(GRANT)
    assert token.token == "y0_secret"
    assert token.expires_at == datetime.datetime(2026, 11, 21, 12, 10, tzinfo=datetime.UTC)
    assert "y0_secret" not in repr(token)
    assert mock.calls[0].json == {
        "id": "grant-1",
        "yandex_uid": "4001",
        "order_id": "order-1",
        "park_id": "park-1",
        "driver_profile_id": "driver-1",
        "ttl_s": 600,
    }


async def test_tells_a_revoked_grant_from_another_refusal(neighbours: Neighbours, opened: Any) -> None:
    neighbours.music_backend.on("POST", TOKENS, {"code": "token_revoked", "message": "Gone."}, status=410)
    client = await opened(music_backend.MusicBackend, neighbours.music_backend)
    with pytest.raises(music_backend.TokenRevoked):
        await client.issue_token(GRANT)
    neighbours.music_backend.on("POST", TOKENS, {"code": "id_reused", "message": "Another."}, status=409)
    with pytest.raises(http_client.NeighbourRefused) as refused:
        await client.issue_token(GRANT)
    assert not isinstance(refused.value, music_backend.TokenRevoked)


@pytest.mark.parametrize("answer", [{}, {"token": "", "expires_at": "2026-11-21T15:10:00Z"}, {"token": "t"}])
async def test_refuses_a_token_that_is_none(neighbours: Neighbours, opened: Any, answer: dict[str, str]) -> None:
    neighbours.music_backend.on("POST", TOKENS, answer)
    with pytest.raises(http_client.NeighbourGarbage):
        await (await opened(music_backend.MusicBackend, neighbours.music_backend)).issue_token(GRANT)


async def test_revokes_a_grant(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.music_backend.on("DELETE", f"{TOKENS}/{{grant_id}}", {})
    await (await opened(music_backend.MusicBackend, neighbours.music_backend)).revoke_token("grant-1")
    assert [call.args for call in mock.calls] == [{"grant_id": "grant-1"}]


# communications


async def test_pushes_to_a_driver(neighbours: Neighbours, opened: Any) -> None:
    mock = neighbours.communications.on("POST", "/v1/driver-push", {"push_id": "p"})
    await (await opened(communications.Communications, neighbours.communications)).push_to_driver(PUSH)
    assert mock.calls[0].json == {
        "park_id": "park-1",
        "driver_profile_id": "driver-1",
        "code": "music_commands",
        "ttl_s": 15,
        "idempotency_token": "push-1",
        "payload": {"order_id": "order-1"},
    }


async def test_says_when_a_push_was_not_taken(neighbours: Neighbours, opened: Any) -> None:
    neighbours.communications.on("POST", "/v1/driver-push", {"code": "driver_unknown", "message": "Who?"}, status=404)
    with pytest.raises(http_client.NeighbourRefused):
        await (await opened(communications.Communications, neighbours.communications)).push_to_driver(PUSH)
