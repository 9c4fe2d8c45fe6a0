"""A passenger steers the music that her taxi plays (music).

Lena has Plus; Marat drives her, then Timur does. Steps of M-02, M-05, M-09, M-11, M-13..M-32, M-34..M-37.
"""

import asyncio
import datetime
import secrets
from typing import Any

from journeys import player as players
from journeys import taximeter as taximeters
from journeys.player import Player, agree, must_be_near, now_at
from journeys.taximeter import Taximeter
from journeys.world import StepFailed, World, expect
from testkit import clock

ALBUM = {"type": "album", "id": "neon-courtyard"}
OLD_TAXIMETER = "9.50"
_MEMORY = ("players", "commands", "tokens")


async def play(world: World) -> None:
    """Every step, in order; StepFailed at the first that goes wrong."""
    world.tell_in_short("/player/state", players.told)
    world.tell_in_short(" taximeter/", taximeters.told)
    world.tell_in_short("/_catalogue", _titles)
    world.tell_in_short("/_tokens", _revoked)
    world.tell_in_short("/player/history", _fates)
    player, marat = await _player_appears(world)
    await _plays_her_playlist(world, player, marat)
    await _steers(world, player, marat)
    await _finds_places_in_songs(world, player, marat)
    await _is_told_no(world, player)
    await _hears_news_while_waiting(world, player)
    await _pushes(world, player, marat)
    await _taximeter_dies(world, player, marat)
    timur = await _driver_changes(world, player, marat)
    await _ride_ends(world, player, timur)
    await _support_looks(world, player)
    await _rides_without_music(world)


async def _person(world: World, *, has_plus: bool, uid_kind: str = "portal") -> str:
    phone = f"+7918{secrets.randbelow(10**7):07}"
    world.keep_secret(phone)
    person = {"phone": phone, "uid_kind": uid_kind, "in_taxi": True, "has_plus": has_plus}
    return str(expect(await world.sandbox("POST", "/_people", person), 200)["session"])


async def _ordered(world: World, session: str, taximeter: Taximeter) -> str:
    order = {"session": session, "driver_profile_id": taximeter.driver_profile_id}
    made = expect(await world.sandbox("POST", "/processing/plain_orders", order), 200, status="assigned")
    return str(made["order_id"])


async def _totw(world: World, player: Player) -> Any:
    return expect(await world.passenger(player.session, "GET", f"/4.0/totw?order_id={player.order_id}"), 200)


def _titles(catalogue: Any) -> Any:
    return [f"{item['context']['type']} {item['context']['title']}" for item in catalogue["items"]]


def _revoked(tokens: Any) -> Any:
    return [
        f"{'revoked' if grant['is_revoked'] else 'good'} in ride {grant.get('order_id')}" for grant in tokens["grants"]
    ]


def _fates(history: Any) -> Any:
    return [[f"{each['action']} {each['status']}" for each in player["commands"]] for player in history["players"]]


async def _player_appears(world: World) -> tuple[Player, Taximeter]:
    with world.step("Lena has Plus; she orders a ride, Marat is found, and music opens a player"):
        lena, marat = await _person(world, has_plus=True), await Taximeter.switched_on(world)
        player = Player(world, lena, await _ordered(world, lena, marat))
        await player.shows(lambda screen: screen["playback"] == "stopped")
    with world.step("She gets in; totw tells her app that there is music, and that it is time to ask for it"):
        expect(await world.sandbox("POST", f"/processing/plain_orders/{player.order_id}/transporting", {}), 200)
        told = await _totw(world, player)
        if not told["music"]["enabled"] or told["status"] != told["music"]["poll_from_status"]:
            raise StepFailed(f"totw says {told}")
    with world.step("Marat's taximeter is heard of: the player is online, and says what can be done"):
        screen = await player.shows(lambda screen: screen["connection"] == "online")
        allowed = {action for action, verdict in screen["actions"].items() if verdict["allowed"]}
        if not {"play_item", "set_volume"} <= allowed or "seek" in allowed:
            raise StepFailed(f"what can be done is {screen['actions']}")
    return player, marat


async def _plays_her_playlist(world: World, player: Player, marat: Taximeter) -> None:
    with world.step("She chooses a playlist that nobody but she may see, and the car plays it"):
        shown = expect(await world.sandbox("GET", f"/music-backend/_catalogue?session={player.session}"), 200)
        mine = next(item["context"] for item in shown["items"] if all(track["private"] for track in item["tracks"]))
        wish = {name: mine[name] for name in ("type", "id")}
        screen = await player.gets("play_item", lambda screen: screen["playback"] == "playing", **wish)
        if not screen["track"]["private"]:
            raise StepFailed(f"the car plays {screen['track']}")
        agree(screen, await marat.looks())
    with world.step("It was let in by a token for this ride and car alone; hers never left her phone"):
        given = await marat.grants()
        if {grant["order_id"] for grant in given} != {player.order_id} or (await marat.token(player)) == player.session:
            raise StepFailed(f"the music backend gave {given}")


async def _steers(world: World, player: Player, marat: Taximeter) -> None:
    with world.step("She pauses; her phone sends it twice, and it is done once"):
        pause = player.command("pause")
        first = expect(await player.sends(pause), 200)
        await player.shows(lambda screen: screen["playback"] == "paused" and screen["pending"] is None)
        again = expect(await player.sends(pause), 200)
        if (first["command_id"], first["seq"]) != (again["command_id"], again["seq"]) or again["status"] != "applied":
            raise StepFailed(f"the first was {first}, the second {again}")
        agree(await player.shows(lambda screen: True), await marat.looks())
    with world.step("She sets the volume"):
        agree(await player.gets("set_volume", lambda screen: screen["volume"] == 30, volume=30), await marat.looks())


async def _finds_places_in_songs(world: World, player: Player, marat: Taximeter) -> None:
    with world.step("She plays on, from the second minute"):
        await player.gets("play", lambda screen: screen["playback"] == "playing")
        screen = await player.gets("seek", lambda screen: screen["position_ms"] >= 60_000, position_ms=60_000)
        agree(screen, await marat.looks())
        must_be_near(now_at(screen), 60_000)
    with world.step("The next song begins at its beginning"):
        before = screen["track"]
        screen = await player.gets("next", lambda screen: screen["track"] != before)
        agree(screen, await marat.looks())
        must_be_near(now_at(screen), 0)


async def _is_told_no(world: World, player: Player) -> None:
    with world.step(
        "A place after the end of the song, and a screen that is out of date, are refused with their reason"
    ):
        expect(await player.asks("seek", position_ms=86_400_000), 409, "action_disallowed")
        expect(await player.sends(player.command("pause") | {"expected_version": 1}), 409, "version_mismatch")
    with world.step("A stranger learns nothing of her ride"):
        stranger = Player(world, await _person(world, has_plus=True), player.order_id)
        _is_unavailable(await stranger.look(), "no_player")
        _is_unavailable(await stranger.asks("pause"), "no_player")


def _is_unavailable(answer: Any, reason: str) -> None:
    expect(answer, 406, "player_unavailable", details={"reason": reason})


async def _hears_news_while_waiting(world: World, player: Player) -> None:
    with world.step("Her app waits for news and gets none, then some at once"):
        if (quiet := await player.news(wait_ms=300)).status != 304:
            raise StepFailed(f"without news it is told {quiet}")
        waiting = asyncio.create_task(player.news(wait_ms=5000))
        expect(await player.asks("set_volume", volume=40), 200)
        expect(await waiting, 200)
        await player.shows(lambda screen: screen["volume"] == 40 and screen["pending"] is None)


async def _pushes(world: World, player: Player, marat: Taximeter) -> None:
    with world.step("Marat's taximeter can't wait for commands any more: a push brings the next one"):
        await marat.becomes(wait_ms=0)
        agree(await player.gets("pause", lambda screen: screen["playback"] == "paused"), await marat.obeys("push"))
    with world.step("Pushes are lost as well: the next report brings it, so that it costs only time"):
        await marat.becomes(heartbeat_s=0.5)
        expect(await world.sandbox("PUT", "/communications/_air", {"loss_share": 1.0}), 200)
        agree(await player.gets("play", lambda screen: screen["playback"] == "playing"), await marat.obeys("report"))
        expect(await world.sandbox("PUT", "/communications/_air", {}), 200)
        agree(await player.gets("pause", lambda screen: screen["playback"] == "paused"), await marat.looks())
        await marat.becomes(wait_ms=25_000, heartbeat_s=15)


async def _taximeter_dies(world: World, player: Player, marat: Taximeter) -> None:
    with world.step("Marat's taximeter dies: what she asks for is pending, with a deadline"):
        await marat.dies()
        asked = expect(await player.asks("play"), 200)
        await player.shows(lambda screen: (screen["pending"] or {}).get("command_id") == asked["command_id"])
    with world.step("Fifteen seconds pass (what music remembers is moved into the past): she is told that it failed"):
        await _pass(world, 16)
        screen = await player.shows(lambda screen: screen["pending"] is None)
        if screen["last_error"] != {"command_id": asked["command_id"], "code": "expired"}:
            raise StepFailed(f"she sees the error {screen['last_error']}")
    with world.step("Half a minute more, and the screen says that the connection is lost"):
        await _pass(world, 30)
        await player.shows(lambda screen: screen["connection"] == "lost")
    with world.step("The taximeter comes back and plays on: the old command is not obeyed, the new one is"):
        await marat.comes_back()
        screen = await player.shows(lambda screen: screen["connection"] == "online")
        if screen["playback"] == "playing":
            raise StepFailed("a command that she was told had failed was obeyed")
        agree(await player.gets("play", lambda screen: screen["playback"] == "playing"), await marat.looks())


async def _pass(world: World, seconds: float) -> None:
    await clock.advance(world.stack["databases"]["music"], datetime.timedelta(seconds=seconds), schemas=_MEMORY)


async def _driver_changes(world: World, player: Player, marat: Taximeter) -> Taximeter:
    with world.step("The ride is given to Timur: Marat's car falls silent, its token is worth nothing"):
        timur = await Taximeter.switched_on(world)
        change = {"driver_profile_id": timur.driver_profile_id}
        expect(await world.sandbox("POST", f"/processing/plain_orders/{player.order_id}/driver", change), 200)
        await marat.is_silent()
        await world.until(marat.asks_grants, lambda answer: all(g["is_revoked"] for g in marat.of(answer)))
    with world.step("Timur's car plays what she chooses; her screen never went back"):
        await player.shows(lambda screen: screen["connection"] == "online")
        screen = await player.gets("play_item", lambda screen: screen["playback"] == "playing", **ALBUM)
        agree(screen, await timur.looks())
    return timur


async def _ride_ends(world: World, player: Player, timur: Taximeter) -> None:
    with world.step("The ride ends: 406, so that her app asks no more, and the car falls silent"):
        ended = await world.sandbox("POST", f"/processing/plain_orders/{player.order_id}/finish", {})
        expect(ended, 200, status="finished")
        await world.until(player.look, lambda answer: answer.status == 406)
        _is_unavailable(await player.look(), "closed")
        _is_unavailable(await player.asks("play"), "closed")
        await timur.is_silent()
        if (await _totw(world, player))["music"]["enabled"]:
            raise StepFailed("totw still speaks of music")


async def _support_looks(world: World, player: Player) -> None:
    with world.step("Support sees every command with its fate; none was left without one"):
        path = f"/internal/music/v1/player/history?order_id={player.order_id}"
        history = expect(await world.caller("support", "music", path), 200)
        fates = [command["status"] for one in history["players"] for command in one["commands"]]
        if (fates.count("applied"), fates.count("expired")) != (len(fates) - 1, 1):
            raise StepFailed(f"the fates are {fates}")


async def _rides_without_music(world: World) -> None:
    for who, person, taximeter in (
        ("without Plus", {"has_plus": False}, {}),
        ("who is known by phone alone", {"has_plus": True, "uid_kind": "phonish"}, {}),
        ("whose driver has an old taximeter", {"has_plus": True}, {"application_version": OLD_TAXIMETER}),
    ):
        with world.step(f"A passenger {who} has no music: totw says so, and who asks nevertheless gets 406"):
            session = await _person(world, **person)
            order_id = await _ordered(world, session, await Taximeter.switched_on(world, **taximeter))
            player = Player(world, session, order_id)
            await world.until(player.look, lambda answer: answer.body.get("details") == {"reason": "not_eligible"})
            if (await _totw(world, player))["music"]["enabled"]:
                raise StepFailed("totw promises music")
