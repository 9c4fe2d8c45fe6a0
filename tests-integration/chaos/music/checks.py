"""Short checks of what must hold of music; like those of maas, each must fail when its fault is planted.

A check needs music behind its gates with `CONFIG`, and works with an order of its own.
"""

import asyncio
import uuid
from typing import Any

from chaos.music import invariants, requests
from chaos.music.requests import Driver, Request
from chaos.music.riding import Ride, Taximeter
from chaos.recording import once
from chaos.weather import Gated
from journeys.world import Answer
from kit import pg
from testkit.waiting import until

LIFETIME_S, LIMIT = 2, 6
CONFIG = {"MUSIC_COMMANDS": {"lifetime_s": LIFETIME_S, "limit": LIMIT, "limit_window_s": 2}}
_NOTICED_WITHIN_S = 2.0
_STATUSES = "SELECT status FROM commands.commands WHERE order_id = %(order_id)s ORDER BY player_id, seq"


async def ends_in_time(gated: Gated) -> None:
    """A command that no taximeter hears of is over soon after its lifetime, and the passenger is told (M-23)."""
    ride, _ = await Ride.begun(gated.stage)
    await ride.steer("play")

    async def is_told() -> bool:
        body = await ride.look()
        return body["pending"] is None and body["last_error"] is not None and body["last_error"]["code"] == "expired"

    await until(is_told, timeout_s=LIFETIME_S + 3, period_s=0.1)


async def nothing_handed_out_is_superseded(gated: Gated) -> None:
    """A volume that the taximeter was handed may be set by now: a later one leaves its fate to the taximeter."""
    ride, taximeter = await Ride.begun(gated.stage)
    first = await _command(gated, ride, "set_volume", volume=10)
    await taximeter.pull()
    second = await _command(gated, ride, "set_volume", volume=20)
    assert (first.status, second.status) == (200, 200), f"{first}, {second}"
    await taximeter.report(applied=(1, 2))
    assert await _statuses(gated, ride) == ["applied", "applied"]


async def every_change_is_a_version(gated: Gated) -> None:
    """Who knows the version before a command is shown the command, and not that nothing has changed (M-13)."""
    ride, _ = await Ride.begun(gated.stage)
    version = (await ride.look())["version"]
    assert (await _command(gated, ride, "play")).status == 200
    seen = await _state(gated, ride, known=version)
    assert seen.status == 200, f"{seen} to who knows {version}"
    assert seen.body["pending"] is not None


async def hears_of_other_processes(gated: Gated) -> None:
    """What another process changes reaches who polls, and at once who waits."""
    ride, _ = await Ride.begun(gated.stage)
    version = (await ride.look())["version"]
    waiting = asyncio.create_task(_state(gated, ride, known=version, wait_ms=int(_NOTICED_WITHIN_S * 1000)))
    await asyncio.sleep(0.1)
    changed = "UPDATE players.players SET connection = 'lost', version = version + 1 WHERE order_id = %(order_id)s"
    await gated.stage.databases["music"].run(changed, order_id=ride.order_id)
    waited = await waiting
    assert waited.status == 200, f"who waited for more than {version} was answered {waited.status}"
    assert (await ride.look())["connection"] == "lost"


async def knows_less_than_its_client(gated: Gated) -> None:
    """A client that has seen more than this process remembers is not shown the older state (M-13)."""
    ride, _ = await Ride.begun(gated.stage)
    version = (await ride.look())["version"]
    unheard = "UPDATE players.players SET version = version + 1 WHERE order_id = %(order_id)s"
    await gated.stage.as_time("music", unheard, order_id=ride.order_id)
    seen = await _state(gated, ride, known=version + 1)
    assert seen.status == 304, f"to who knows {version + 1}: {seen}"


async def late_report_changes_nothing(gated: Gated) -> None:
    """Of two reports of one taximeter the later counts, whichever comes last (M-15)."""
    ride, taximeter = await Ride.begun(gated.stage)
    taximeter.playback = "playing"
    taximeter.report_seq = 5
    await taximeter.report()
    taximeter.playback, taximeter.report_seq = "paused", 3
    await taximeter.report()
    await ride.seen(lambda body: body["connection"] == "online")
    assert (await ride.look())["playback"] == "playing"


async def result_counts_once(gated: Gated) -> None:
    """A command that was applied stays so, whatever is said of it later (M-23)."""
    ride, taximeter = await Ride.begun(gated.stage)
    await _command(gated, ride, "play")
    await taximeter.pull()
    await taximeter.report(applied=(1,))
    again = await _report(gated, taximeter, failed=(1,))
    assert again.status == 200, str(again)
    assert await _statuses(gated, ride) == ["applied"]
    assert (await ride.look())["last_error"] is None


async def ends_with_its_player(gated: Gated) -> None:
    """When the ride is over, so is what was asked for, and the key to the music (M-37, M-11)."""
    ride, taximeter = await Ride.begun(gated.stage)
    await taximeter.token()
    await _command(gated, ride, "play")
    closed = await _once(gated, requests.close(requests.finished(ride.order_id, 9)))
    assert closed.status == 200, str(closed)
    assert await _statuses(gated, ride) == ["cancelled"]
    await until(lambda: _is_sound(gated), timeout_s=5, period_s=0.1)


async def _is_sound(gated: Gated) -> bool:
    wrong = await invariants.broken(gated.stage)
    print("\n".join(wrong))
    return not wrong


async def late_events_change_nothing(gated: Gated) -> None:
    """An assignment that comes after the end of its order opens nothing."""
    ride, _ = await Ride.begun(gated.stage)
    for event in (
        requests.close(requests.finished(ride.order_id, 3)),
        requests.create(requests.assigned(ride.order_id, 2, ride.yandex_uid, Driver.new())),
    ):
        answer = await _once(gated, event)
        assert answer.status == 200, str(answer)
    assert (await _state(gated, ride)).status == 406


async def too_many_clicks_are_refused(gated: Gated) -> None:
    """A player takes so many commands in a while, and no more."""
    ride, _ = await Ride.begun(gated.stage)
    statuses = [(await _command(gated, ride, "next")).status for _ in range(LIMIT + 1)]
    assert statuses == [200] * LIMIT + [429]


async def repeats_its_answer(gated: Gated) -> None:
    """A command whose answer was lost may be asked for again, even when the ride is over by then."""
    ride, _ = await Ride.begun(gated.stage)
    request = requests.command(ride.order_id, ride.yandex_uid, str(uuid.uuid4()), "play", {})
    first = await _once(gated, request)
    again = await _once(gated, request)
    await ride.finish()
    late = await _once(gated, request)
    assert [each.status for each in (first, again, late)] == [200] * 3, f"{again}, {late}"
    assert first.body["seq"] == again.body["seq"] == late.body["seq"]


async def nobody_steers_anothers_ride(gated: Gated) -> None:
    """Somebody else is told that there is no player, and nothing comes of what they ask (M-14)."""
    ride, _ = await Ride.begun(gated.stage)
    asked = requests.command(ride.order_id, "4999999999", str(uuid.uuid4()), "play", {})
    answer = await _once(gated, asked)
    assert (answer.status, answer.code) == (406, "player_unavailable"), str(answer)
    assert await _statuses(gated, ride) == []


async def counts_on_with_another_driver(gated: Gated) -> None:
    """The version that a passenger sees goes on growing when the order gets another driver."""
    ride, _ = await Ride.begun(gated.stage)
    version = (await ride.look())["version"]
    ride.driver = Driver.new()
    await ride.assign()
    seen = await _state(gated, ride, known=version)
    assert seen.status == 200, str(seen)
    assert seen.body["version"] > version
    assert seen.body["connection"] == "connecting"


async def replaced_taximeter_is_refused(gated: Gated) -> None:
    """A late packet of a taximeter that another one has replaced changes nothing."""
    ride, first = await Ride.begun(gated.stage)
    second = ride.taximeter()
    second.playback = "playing"
    await second.report()
    late = await _report(gated, first)
    assert (late.status, late.code) == (409, "device_session_replaced"), str(late)
    assert (await ride.look())["playback"] == "playing"


async def driver_change_hides_nothing(gated: Gated) -> None:
    """Who clicks while the order gets another driver has a player all the time: the old one or the new (M-29)."""
    ride, _ = await Ride.begun(gated.stage)
    gated.database.delay(0.02)
    clicks = list[asyncio.Task[Answer]]()
    try:
        ride.driver = Driver.new()
        changed = asyncio.create_task(ride.assign())
        while not changed.done():
            clicks.append(asyncio.create_task(_command(gated, ride, "pause")))
            await asyncio.sleep(0.1)
        answers = await asyncio.gather(*clicks)
        await changed
    finally:
        gated.database.let_through()
    # Some may be too many for the player, or for so slow a database; nobody is told that there is no music.
    statuses = {answer.status for answer in answers}
    assert 200 in statuses, [str(each) for each in answers]
    assert 406 not in statuses, [str(each) for each in answers]


async def _once(gated: Gated, request: Request) -> Answer:
    world = gated.stage.world
    headers = request.headers_with(world.stack["tickets"])
    return await once(world.http, request.method, gated.url + request.path, request.body, headers, 10.0)


async def _command(gated: Gated, ride: Ride, action: str, **args: Any) -> Answer:
    return await _once(gated, requests.command(ride.order_id, ride.yandex_uid, str(uuid.uuid4()), action, args))


async def _state(gated: Gated, ride: Ride, *, known: int | None = None, wait_ms: int = 0) -> Answer:
    return await _once(gated, requests.state(ride.order_id, ride.yandex_uid, known=known, wait_ms=wait_ms))


async def _report(gated: Gated, taximeter: Taximeter, *, failed: tuple[int, ...] = ()) -> Answer:
    taximeter.report_seq += 1
    return await _once(gated, requests.update(taximeter.driver, taximeter.said(failed=failed)))


async def _statuses(gated: Gated, ride: Ride) -> list[str]:
    return await gated.stage.databases["music"].all(pg.value, _STATUSES, order_id=ride.order_id)
