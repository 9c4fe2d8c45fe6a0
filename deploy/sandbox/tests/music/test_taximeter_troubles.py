"""A taximeter that is offline, restarted, deaf, slow, old, failing, or moved from ride to ride."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.taximeter import fleet
from testkit import waiting

UPDATE = "/driver/v1/music/v1/player/update"
COMMANDS = "/driver/v1/music/v1/player/commands"


async def settled(ride: Any, seq: int) -> dict[str, Any]:
    await waiting.until(lambda: seq in ride.player.results)
    return dict(ride.player.results[seq])


async def test_plays_on_while_it_is_offline(ride: Any) -> None:
    await settled(ride, ride.play("album", "ring-road"))
    heard = await ride.change(is_online=False)
    assert (heard["is_online"], heard["playback"]) == (False, "playing")
    reports = len(ride.music.to(UPDATE))
    await waiting.until(lambda: ride.music.waiting == 0)
    seq = ride.command("set_volume", volume=10)
    status, answer = await ride.push(seq, "offline")
    assert (status, len(answer["push_id"])) == (200, 32)
    later = await ride.heard()
    assert later["position_ms"] > heard["position_ms"]
    assert (later["volume"], later["pushes"]) == (50, {"offline": 1})
    assert len(ride.music.to(UPDATE)) == reports
    await ride.change(is_online=True)
    assert (await settled(ride, seq))["result"] == "applied"


async def test_comes_back_by_itself(ride: Any) -> None:
    await waiting.until(lambda: ride.player.reports)
    await ride.change(offline_s=0.2)
    seq = ride.command("set_volume", volume=10)
    assert (await ride.heard())["is_online"] is False
    await settled(ride, seq)
    assert (await ride.heard())["is_online"] is True


async def test_is_silent_after_a_restart_and_repeats_nothing(ride: Any) -> None:
    await settled(ride, ride.play("album", "ring-road"))
    before = await ride.heard()
    heard = await ride.change(restart=True)
    assert (heard["playback"], heard["track"], heard["applied_seq"]) == ("stopped", None, 1)
    assert heard["device_session"] != before["device_session"]
    await settled(ride, ride.command("set_volume", volume=10))
    assert [seq for seq, _, _ in await ride.handled()] == [1, 2]
    mine = [one for one in ride.player.reports if one["device_session"] == heard["device_session"]]
    assert (mine[0]["report_seq"], mine[0]["applied_seq"], mine[0]["results"]) == (1, 1, [])


async def test_goes_on_after_the_world_was_restarted(launch: Any, begin: Any, tmp_path: Path) -> None:
    ride = await begin(await launch(tmp_path / "state.json"))
    await settled(ride, ride.play("album", "ring-road"))
    before = await ride.heard()
    fleet.stop(ride.sandbox.world)
    ride.sandbox = await launch(tmp_path / "state.json")
    await waiting.until(lambda: ride.player.reports[-1]["device_session"] != before["device_session"])
    heard = await ride.heard()
    assert (heard["applied_seq"], heard["playback"], heard["ride"]) == (1, "stopped", "open")
    assert heard["handled"] == before["handled"]


async def test_pulls_after_a_push_when_it_has_no_long_polls(ride: Any) -> None:
    await ride.change(wait_ms=0)
    await waiting.until(lambda: ride.music.waiting == 0)
    seq = ride.command("set_volume", volume=10)
    await ride.push(seq, "one")
    await settled(ride, seq)
    [handled] = (await ride.heard())["handled"]
    assert (handled["via"], handled["action"]) == ("push", "set_volume")


async def test_hears_no_push_but_still_reports(ride: Any) -> None:
    await ride.change(wait_ms=0, loses_pushes=True)
    await waiting.until(lambda: ride.music.waiting == 0)
    seq = ride.command("set_volume", volume=10)
    await ride.push(seq, "one")
    assert (await ride.heard())["pushes"] == {"lost": 1}
    await ride.change(heartbeat_s=0.05)
    await settled(ride, seq)
    [handled] = (await ride.heard())["handled"]
    assert handled["via"] == "report"


async def test_fails_the_next_command_alone(ride: Any) -> None:
    await ride.change(fail_next="sdk_crashed")
    assert await settled(ride, ride.command("set_volume", volume=10)) == {
        "seq": 1,
        "result": "failed",
        "reason": "sdk_crashed",
    }
    assert (await settled(ride, ride.command("set_volume", volume=20)))["result"] == "applied"


async def test_has_no_say_in_the_volume_where_the_car_has_none(ride: Any) -> None:
    assert (await ride.change(has_volume=False))["volume"] is None
    result = await settled(ride, ride.command("set_volume", volume=10))
    assert (result["result"], result["reason"]) == ("rejected", "volume_unsupported")
    assert ride.player.state["volume"] is None
    assert (await ride.change(has_volume=True))["volume"] == 50


async def test_names_its_version(ride: Any) -> None:
    await ride.change(application_version="9.50", heartbeat_s=0.05)
    await waiting.until(lambda: ride.music.to(UPDATE)[-1][3]["X-Request-Application-Version"] == "9.50")
    await ride.sandbox.ok(
        "POST", f"/processing/plain_orders/{ride.order_id}/driver", None, json={"driver_profile_id": await second(ride)}
    )
    await ride.sandbox.ok(
        "POST", f"/processing/plain_orders/{ride.order_id}/driver", None, json={"driver_profile_id": ride.driver_id}
    )
    assert ride.music.to("/internal/music/v1/player/create")[-1][4]["driver"]["application_version"] == "9.50"


async def second(ride: Any) -> str:
    driver = await ride.sandbox.ok("POST", "/_drivers", None, json={"driver_profile_id": "driver-2"})
    return str(driver["driver_profile_id"])


async def test_begins_anew_when_the_order_comes_back(ride: Any) -> None:
    await settled(ride, ride.command("set_volume", volume=10))
    path = f"/processing/plain_orders/{ride.order_id}/driver"
    await ride.sandbox.ok("POST", path, None, json={"driver_profile_id": await second(ride)})
    await ride.sandbox.ok("POST", path, None, json={"driver_profile_id": ride.driver_id})
    # The third player numbers its commands from 1 again.
    assert ride.command("set_volume", volume=20) == 1
    await settled(ride, 1)
    heard = await ride.heard()
    assert (heard["volume"], heard["applied_seq"]) == (20, 1)


async def test_takes_a_ride_that_only_a_push_tells_of(ride: Any) -> None:
    ride.music.close(ride.order_id)

    async def is_over() -> bool:
        return bool((await ride.heard())["ride"] == "over")

    await waiting.until(is_over)
    body = {"order_id": "elsewhere", "driver": {"driver_profile_id": ride.driver_id}}
    await ride.music._answer("/internal/music/v1/player/create", {}, body)
    ride.order_id = "elsewhere"
    await ride.push(ride.command("set_volume", volume=10), "new")
    await settled(ride, 1)
    assert (await ride.heard())["order_id"] == "elsewhere"


@pytest.mark.parametrize("mode", ["down", "error", "too_many", "garbage", "truncated", "refuse"])
async def test_outlives_the_faults_of_its_gateway(ride: Any, mode: str) -> None:
    await waiting.until(lambda: ride.player.reports)
    await ride.sandbox.ok("PUT", "/_faults/driver-authproxy", None, json={"mode": mode, "times": 2})
    await ride.change(heartbeat_s=0.05)
    await settled(ride, ride.command("set_volume", volume=10))
    assert (await ride.sandbox.ok("GET", "/_stats", None))["faults"] == {"driver-authproxy": 2}
    calls = (await ride.sandbox.ok("GET", "/_log?neighbour=driver-authproxy", None))["calls"]
    assert [call["fault"] for call in calls].count(mode) == 2


@pytest.mark.parametrize(
    "body", [{"loses_pushes": 1}, {"heartbeat_s": 0}, {"wait_ms": 30_000}, {"colour": "red"}, {"fail_next": "No!"}]
)
async def test_takes_no_change_that_makes_no_sense(ride: Any, body: Any) -> None:
    status, answer = await ride.sandbox.call("PUT", f"/taximeter/{ride.driver_id}", None, json=body)
    assert (status, answer["code"]) == (400, "contract_violation")


async def test_is_not_there_for_a_strange_driver(ride: Any) -> None:
    for method, body in (("GET", None), ("PUT", {"restart": True})):
        status, answer = await ride.sandbox.call(method, "/taximeter/nobody", None, json=body)
        assert (status, answer["code"]) == (404, "driver_not_found")


async def test_is_gone_after_a_reset(ride: Any) -> None:
    await waiting.until(lambda: ride.music.waiting == 1)
    await ride.sandbox.ok("POST", "/_reset", None)
    await waiting.until(lambda: ride.music.waiting == 0)
    assert (await ride.sandbox.call("GET", f"/taximeter/{ride.driver_id}", None))[0] == 404
