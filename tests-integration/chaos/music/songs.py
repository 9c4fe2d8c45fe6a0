"""The flows of music: what a passenger, a taximeter and order processing do in one ride."""

from chaos.music import requests
from chaos.music.requests import Driver
from chaos.music.riding import Ride, ask
from chaos.stage import Stage
from chaos.trial import Flow
from journeys.world import StepFailed, expect

_SHORT = {"MUSIC_COMMANDS": {"lifetime_s": 1}}


async def song(stage: Stage) -> None:
    """Processing asks by HTTP, the passenger presses play, the taximeter does it, and the ride ends."""
    ride, taximeter = await Ride.begun(stage)
    await taximeter.play_until(await ride.steer("play"))
    await ride.seen(lambda body: body["playback"] == "playing" and body["pending"] is None)
    await ride.finish()


async def by_message(stage: Stage) -> None:
    """Order processing tells by messages, as it does to everybody."""
    ride = Ride.new(stage)
    await ride.assign(by_message=True)
    await ride.finish(by_message=True)


async def another_driver(stage: Stage) -> None:
    """The order gets another driver: what was asked of the first is cancelled, the second plays."""
    ride, first = await Ride.begun(stage)
    await ride.steer("play")
    ride.driver = Driver.new()
    await ride.assign()
    expect(await ask(stage, requests.commands(first.driver, ride.order_id)), 410, "player_closed")
    second = ride.taximeter()
    await second.report()
    await second.play_until(await ride.steer("play"))
    await ride.seen(lambda body: body["playback"] == "playing")
    await ride.finish()


async def another_driver_by_message(stage: Stage) -> None:
    """The same, told by a message."""
    ride, _ = await Ride.begun(stage)
    ride.driver = Driver.new()
    await ride.assign(by_message=True)
    await ride.finish()


async def refused_by_the_car(stage: Stage) -> None:
    """The taximeter can't do what it is told, and the passenger is shown so."""
    ride, taximeter = await Ride.begun(stage)
    seq = await ride.steer("play_item", type="track", id="track-1")
    await taximeter.pull()
    await taximeter.report(failed=(seq,))
    await ride.seen(lambda body: body["last_error"] is not None)
    await ride.finish()


async def changed_mind(stage: Stage) -> None:
    """The volume is moved again before the taximeter has heard of it: only the last one is done."""
    ride, taximeter = await Ride.begun(stage)
    await ride.steer("set_volume", volume=10)
    seq = await ride.steer("set_volume", volume=70)
    await taximeter.play_until(seq)
    await ride.seen(lambda body: body["volume"] == 70 and body["pending"] is None)
    await ride.finish()


async def unheard(stage: Stage) -> None:
    """The taximeter never comes: the command expires, and the passenger is told."""
    ride, _ = await Ride.begun(stage)
    await ride.steer("pause")
    await ride.seen(lambda body: body["pending"] is None and body["last_error"] is not None)
    await ride.finish()


async def key_to_the_music(stage: Stage) -> None:
    """The taximeter gets a token, and again the same; when the ride ends it opens nothing any more."""
    ride, taximeter = await Ride.begun(stage)
    if not await taximeter.token():
        raise StepFailed("an empty token")
    await ride.finish()


async def started_again(stage: Stage) -> None:
    """The taximeter starts again in the middle of a ride and goes on."""
    ride, first = await Ride.begun(stage)
    await first.play_until(await ride.steer("play"))
    again = ride.taximeter()
    again.applied_seq = first.applied_seq
    await again.report()
    await again.play_until(await ride.steer("pause"))
    await ride.finish()


FLOWS: dict[str, Flow] = {
    "song": Flow(song),
    "by message": Flow(by_message),
    "another driver": Flow(another_driver),
    "another driver by message": Flow(another_driver_by_message),
    "refused by the car": Flow(refused_by_the_car),
    "changed mind": Flow(changed_mind),
    "unheard": Flow(unheard, _SHORT),
    "key to the music": Flow(key_to_the_music),
    "started again": Flow(started_again),
}
