"""Polls that wait, two processes, and a listening connection that is lost."""

import asyncio
import time
from typing import Any

import pytest

from kit import caches, metrics, pg
from testkit.waiting import until

from .conftest import begun, reads

CLOSE = "UPDATE players.players SET status = 'closed', close_reason = 'x', closed_at = now(), version = version + 1"
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caches:listen'"
CHANGE = "UPDATE players.players SET version = version + 1"
SILENT = "ALTER TABLE players.players DISABLE TRIGGER tell_of_change"


async def test_wakes_a_poll_that_waits(client: Any, world: Any) -> None:
    await world.opened()
    waiting = await begun(client.polls(1, wait_ms=20_000))
    async with asyncio.timeout(3):
        assert (await client.reports()).status == 200
        answer = await waiting
    assert (answer.status, answer.body["version"], answer.body["playback"]) == (200, 2, "playing")
    assert metrics.value("music_polls_waiting") == 0


async def test_says_that_nothing_changed_when_the_time_is_up(client: Any, world: Any) -> None:
    await world.opened()
    began = time.monotonic()
    assert (await client.polls(1, wait_ms=300)).status == 304
    assert 0.2 <= time.monotonic() - began < 3
    began = time.monotonic()
    assert (await client.polls("*", wait_ms=20_000, **{"X-YaTaxi-Client-TimeoutMs": "600"})).status == 304
    assert 0.3 <= time.monotonic() - began < 0.6


async def test_answers_at_once_whoever_does_not_have_the_version(client: Any, world: Any) -> None:
    await world.opened()
    async with asyncio.timeout(3):
        assert (await client.polls(wait_ms=20_000)).status == 200
        assert (await client.polls(99, wait_ms=20_000)).status == 200
        assert (await client.polls(wait_ms=20_000, order_id="order-2")).status == 406
        assert (await client.polls("*", wait_ms=20_000, order_id="order-2")).status == 406


async def test_ends_waiting_when_the_player_is_closed(client: Any, world: Any) -> None:
    await world.opened()
    waiting = await begun(client.polls(1, wait_ms=20_000))
    await world.execute(CLOSE)
    async with asyncio.timeout(3):
        answer = await waiting
    assert (answer.status, answer.body["details"]) == (406, {"reason": "closed"})


async def test_goes_on_with_the_next_driver_above_the_former_version(client: Any, world: Any) -> None:
    await world.opened()
    before = (await client.polls()).body
    await world.execute(CLOSE)
    await world.execute(
        "INSERT INTO players.players (player_id, order_id, yandex_uid, park_id, driver_profile_id) "
        "VALUES ('next', 'order-1', '4001', 'park-2', 'driver-2')"
    )
    after = await until(lambda: _shown(client, "next"))
    assert after["version"] > before["version"] + 1


async def _shown(client: Any, player_id: str) -> Any:
    answer = await client.polls()
    return answer.body if answer.status == 200 and answer.body["player_id"] == player_id else None


async def test_lets_those_who_wait_go_when_it_drains(client: Any, world: Any) -> None:
    await world.opened()
    waiting = [await begun(client.polls(1, wait_ms=20_000)) for _ in range(3)]
    client.live.context.caches.release()
    async with asyncio.timeout(3):
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [304] * 3


async def test_shows_an_own_command_at_once(client: Any, world: Any) -> None:
    await world.opened()
    version = await client.version()
    # Nobody tells of changes to players, though the connection that listens is there.
    await world.execute(SILENT)
    command = (await client.commands("play")).body
    shown = (await client.polls(version)).body
    assert (shown["version"], shown["pending"]["command_id"]) == (command["version"], command["command_id"])


async def test_shows_through_one_process_what_happened_in_another(client: Any, other: Any, world: Any) -> None:
    await world.opened()
    assert await other.version() == await client.version() == 1
    waiting = await begun(other.polls(1, wait_ms=20_000))
    async with asyncio.timeout(3):
        command = (await client.commands("play")).body
        answer = await waiting
    assert (answer.status, answer.body["pending"]["command_id"]) == (200, command["command_id"])
    waiting = await begun(other.polls(answer.body["version"], wait_ms=20_000))
    async with asyncio.timeout(3):
        assert (await client.reports(applied_seq=1)).status == 200
        answer = await waiting
    assert (answer.status, answer.body["playback"]) == (200, "playing")


async def test_asks_the_database_for_a_version_that_it_has_not_heard_of(client: Any, other: Any, world: Any) -> None:
    await world.opened()
    await other.version()
    await world.execute(SILENT)
    version = (await client.commands("play")).body["version"]
    assert (await client.polls(version)).status == 304
    assert (await other.polls()).body["version"] < version
    assert (await other.polls(version)).status == 304
    # From now on its memory has it as well.
    database = reads("database")
    assert (await other.polls()).body["version"] == version
    assert reads("database") == database


async def test_never_shows_a_client_less_than_it_has_seen(client: Any, other: Any, world: Any) -> None:
    await world.opened()
    is_over = asyncio.Event()

    async def watch() -> int:
        known, polls = 0, 0
        while not is_over.is_set():
            answer = await (client, other)[polls % 2].polls(known or None)
            polls += 1
            if answer.status == 200:
                assert answer.body["version"] > known
                known = answer.body["version"]
            else:
                assert (answer.status, answer.headers["ETag"]) == (304, f'"{known}"')
        return known

    watching = [asyncio.create_task(watch()) for _ in range(4)]
    for number in range(30):
        await (other, client)[number % 2].reports(session=f"session-{number}", volume=number)
    newest = (await client.commands("pause")).body["version"]
    await until(lambda: _both_show(client, other, newest))
    is_over.set()
    assert max(await asyncio.gather(*watching)) <= newest


async def _both_show(client: Any, other: Any, version: int) -> bool:
    return bool(await client.version() == version and await other.version() == version)


async def test_shows_the_truth_while_it_cannot_listen(
    client: Any, other: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.opened()
    await client.version()
    waiting = await begun(client.polls(1, wait_ms=20_000))
    monkeypatch.setattr(pg.listen, "BACKOFF_S", (3600.0, 3600.0))
    await world.execute(KILL)
    kept: caches.Caches = client.live.context.caches
    await until(lambda: not kept.is_listening)
    await world.execute(CHANGE)
    assert (await client.polls()).body["version"] == 2
    assert (await client.polls(2)).status == 304
    async with asyncio.timeout(3):
        assert (await waiting).body["version"] == 2


async def test_hears_again_after_the_connection_was_lost(client: Any, world: Any) -> None:
    await world.opened()
    await client.version()
    await world.execute(SILENT)
    await world.execute(CHANGE)
    waiting = await begun(client.polls(1, wait_ms=20_000))
    await world.execute(KILL)
    async with asyncio.timeout(3):
        assert (await waiting).body["version"] == 2
    assert await client.version() == 2
