"""The taximeter: what comes by which way, once and in order, and what sounds then."""

import asyncio
from typing import Any

from testkit import waiting

UPDATE = "/driver/v1/music/v1/player/update"
COMMANDS = "/driver/v1/music/v1/player/commands"


async def settled(ride: Any, seq: int) -> dict[str, Any]:
    await waiting.until(lambda: seq in ride.player.results)
    return dict(ride.player.results[seq])


async def test_reports_before_anything_is_asked(ride: Any) -> None:
    await waiting.until(lambda: ride.player.reports)
    first = ride.player.reports[0]
    assert (first["report_seq"], first["applied_seq"], first["results"]) == (1, 0, [])
    assert (first["state"]["playback"], first["state"]["track"], first["state"]["position_ms"]) == (
        "stopped",
        None,
        None,
    )
    caller, _, _, headers, _ = ride.music.to(UPDATE)[0]
    assert caller == "driver-authproxy"
    assert headers["X-YaTaxi-Park-Id"] == "demo-park"
    assert headers["X-Request-Application-Version"] == "9.70"


async def test_plays_what_it_is_told_and_says_so(ride: Any) -> None:
    result = await settled(ride, ride.play("album", "ring-road", offset=1))
    assert result == {"seq": 1, "result": "applied"}
    heard = await ride.heard()
    assert (heard["playback"], heard["track"]["title"]) == ("playing", "Two A.M. Toll")
    assert heard["context"] == {"type": "album", "id": "ring-road", "title": "Ring Road"}
    assert heard["disallows"] == []
    await waiting.until(lambda: ride.player.state["playback"] == "playing")
    assert ride.player.state["track"] == heard["track"]
    assert heard["applied_seq"] == ride.player.reports[-1]["applied_seq"] == 1


async def test_plays_the_wave_when_nothing_was_chosen(ride: Any) -> None:
    await settled(ride, ride.command("play"))
    heard = await ride.heard()
    assert (heard["playback"], heard["context"]["id"]) == ("playing", "my-wave")


async def test_applies_in_order_each_once(ride: Any) -> None:
    await ride.change(apply_delay_ms=30)
    ride.play("station", "calm")
    for volume in (10, 20, 30):
        last = ride.command("set_volume", volume=volume)
    for number in range(3):
        await ride.push(last, f"again-{number}")
    await settled(ride, last)
    assert await ride.handled() == [(seq, "applied", None) for seq in (1, 2, 3, 4)]
    assert (await ride.heard())["volume"] == 30


async def test_skips_what_it_has_applied(ride: Any) -> None:
    await settled(ride, ride.command("set_volume", volume=10))
    # Music has forgotten the result and hands the command out again.
    del ride.player.results[1]
    await settled(ride, ride.command("set_volume", volume=20))
    assert [seq for seq, _, _ in await ride.handled()] == [1, 2]
    assert ride.player.commands[1]["args"] == {"volume": 10}
    assert 1 not in ride.player.results


async def test_does_nothing_that_came_behind_its_turn(ride: Any) -> None:
    await ride.sandbox.ok("PUT", "/_faults/music-backend", None, json={"mode": "slow", "delay_ms": 400})
    await ride.change(heartbeat_s=0.05)
    first = ride.music.player(ride.order_id)
    first.last_seq = 1
    ride.play("album", "ring-road")
    await waiting.until(lambda: ride.music.to("/driver/v1/music/v1/player/token"))
    # While the second is being prepared the first arrives with the answer to a report.
    first.last_seq = 0
    ride.command("set_volume", volume=10)

    async def has_arrived() -> bool:
        return bool((await ride.heard())["queued"] == [1, 2])

    await waiting.until(has_arrived)
    await settled(ride, 2)
    heard = await ride.heard()
    assert (heard["volume"], heard["queued"]) == (50, [])
    assert [seq for seq, _, _ in await ride.handled()] == [2]


async def test_drops_what_has_expired(ride: Any) -> None:
    await ride.change(apply_delay_ms=150)
    ride.command("set_volume", life_s=0.05, volume=10)
    ride.command("set_volume", volume=20)
    assert await settled(ride, 1) == {"seq": 1, "result": "failed", "reason": "expired"}
    assert (await settled(ride, 2))["result"] == "applied"


async def test_keeps_results_until_they_are_heard(ride: Any) -> None:
    await waiting.until(lambda: ride.player.reports)
    ride.music.answer(UPDATE, 503, times=2)
    result = await settled(ride, ride.command("set_volume", volume=10))
    assert result["result"] == "applied"
    carrying = [body for *_, body in ride.music.to(UPDATE) if body["results"]]
    assert len(carrying) == 3
    await ride.change(heartbeat_s=0.05)
    seen = len(ride.player.reports)
    await waiting.until(lambda: len(ride.player.reports) > seen + 1)
    assert ride.player.reports[-1]["results"] == []
    assert (await ride.heard())["unacknowledged"] == []


async def test_numbers_its_reports(ride: Any) -> None:
    await ride.change(heartbeat_s=0.05)
    await waiting.until(lambda: len(ride.player.reports) > 4)
    seqs = [report["report_seq"] for report in ride.player.reports]
    assert seqs == sorted(set(seqs))
    assert len({report["device_session"] for report in ride.player.reports}) == 1


async def test_stops_when_the_player_is_closed(ride: Any) -> None:
    await settled(ride, ride.play("album", "ring-road"))
    ride.music.close(ride.order_id)

    async def is_over() -> bool:
        return bool((await ride.heard())["ride"] == "over")

    await waiting.until(is_over)
    heard = await ride.heard()
    assert (heard["playback"], heard["track"]) == ("stopped", None)
    assert heard["refusals"][-1]["code"] == "player_closed"
    calls = len(ride.music.seen)
    await ride.change(heartbeat_s=0.05)
    await asyncio.sleep(0.2)
    assert len(ride.music.seen) == calls


async def test_waits_for_a_player_that_is_not_there_yet(launch: Any, begin: Any, music: Any) -> None:
    sandbox = await launch()
    music.answer("/internal/music/v1/player/create", 503, times=3)
    ride = await begin(sandbox)
    assert (await ride.heard())["ride"] == "waiting"

    async def is_open() -> bool:
        return bool((await ride.heard())["ride"] == "open")

    await waiting.until(is_open)
    assert music.player(ride.order_id).reports


async def test_keeps_one_poll_waiting(ride: Any) -> None:
    await waiting.until(lambda: ride.music.waiting == 1)
    polls = len(ride.music.to(COMMANDS))
    await asyncio.sleep(0.3)
    assert len(ride.music.to(COMMANDS)) == polls
    [*_, (_, _, _, _, asked)] = ride.music.to(COMMANDS)
    assert asked == {"order_id": ride.order_id, "after_seq": "0", "wait_ms": "25000"}


async def test_does_not_flood_a_music_that_answers_at_once(ride: Any) -> None:
    ride.music.queued[COMMANDS] = [(200, {"version": 1, "commands": []})] * 1000
    await ride.change(wait_ms=20_000)
    before = len(ride.music.to(COMMANDS))
    await asyncio.sleep(1.0)
    assert len(ride.music.to(COMMANDS)) - before < 12


async def test_survives_the_loss_of_its_session(ride: Any) -> None:
    await waiting.until(lambda: ride.player.reports)
    former = ride.player.reports[-1]["device_session"]
    ride.music.answer(UPDATE, 409, "device_session_replaced")
    await settled(ride, ride.command("set_volume", volume=10))
    last = ride.player.reports[-1]
    assert last["device_session"] != former
    assert last["report_seq"] == 1
