"""What sounds, in time: tracks advance, end and give way, and the screen is told of each change."""

from typing import Any

import pytest

from sandbox.music import catalogue
from sandbox.taximeter import speakers

MUSIC = catalogue.load()


def item(kind: str, item_id: str) -> catalogue.Item:
    found = MUSIC.find(kind, item_id, "4001")
    assert found is not None
    return found


def loaded(kind: str = "album", item_id: str = "ring-road", offset: int = 0) -> speakers.Speakers:
    sound = speakers.Speakers()
    sound.load(item(kind, item_id), offset, 0)
    return sound


def at(sound: speakers.Speakers, now_ms: float) -> tuple[Any, ...]:
    state = sound.state(now_ms, "now")
    return state["playback"], state["track"] and state["track"]["title"], state["position_ms"]


def refusals(sound: speakers.Speakers) -> dict[str, str]:
    return {one["action"]: one["reason"] for one in sound.state(0, "now")["disallows"]}


def test_advances_with_time() -> None:
    sound = loaded()
    assert at(sound, 0) == ("playing", "Left Lane", 0)
    assert at(sound, 1_234.4) == ("playing", "Left Lane", 1_234)
    assert at(sound, 157_999) == ("playing", "Left Lane", 157_999)


def test_goes_to_the_next_track_when_one_ends() -> None:
    sound = loaded()
    assert at(sound, 158_000 + 250) == ("playing", "Two A.M. Toll", 250)
    # Nobody looked for the length of two tracks.
    assert at(sound, (158 + 171 + 143) * 1000 + 7) == ("playing", "Exit 38", 7)


def test_stops_after_the_last_track() -> None:
    sound = loaded(offset=3)
    assert sound.settle(198_999) is False
    assert sound.settle(199_000) is True
    assert at(sound, 500_000) == ("stopped", "Exit 38", 0)
    sound.play(500_000)
    assert at(sound, 500_100) == ("playing", "Exit 38", 100)


def test_begins_a_station_again() -> None:
    sound = loaded("station", "calm", offset=3)
    assert "next" not in refusals(sound)
    assert at(sound, 298_000 + 1) == ("playing", "First Snow, Slow", 1)


def test_stands_still_while_paused() -> None:
    sound = loaded()
    sound.pause(5_000)
    sound.pause(6_000)
    assert at(sound, 60_000) == ("paused", "Left Lane", 5_000)
    sound.play(60_000)
    sound.play(61_000)
    assert at(sound, 62_000) == ("playing", "Left Lane", 7_000)


def test_seeks_playing_and_paused() -> None:
    sound = loaded()
    sound.seek(100_000, 3_000)
    assert at(sound, 4_000) == ("playing", "Left Lane", 101_000)
    sound.pause(4_000)
    sound.seek(10, 9_000)
    assert at(sound, 20_000) == ("paused", "Left Lane", 10)
    with pytest.raises(speakers.CannotDo, match="beyond_track"):
        sound.seek(158_001, 20_000)


def test_steps_within_the_album() -> None:
    sound = loaded()
    assert refusals(sound) == {"previous": "no_previous_track"}
    with pytest.raises(speakers.CannotDo, match="no_previous_track"):
        sound.step(-1, 10)
    for _ in range(3):
        sound.step(1, 10)
    assert refusals(sound) == {"next": "no_next_track"}
    with pytest.raises(speakers.CannotDo, match="no_next_track"):
        sound.step(1, 10)
    sound.step(-1, 2_000)
    assert at(sound, 2_500) == ("playing", "No Brakes", 500)


def test_can_do_nothing_without_a_track() -> None:
    sound = speakers.Speakers()
    assert refusals(sound) == {"next": "no_track", "previous": "no_track"}
    with pytest.raises(speakers.CannotDo, match="no_track"):
        sound.play(0)
    with pytest.raises(speakers.CannotDo, match="no_track"):
        sound.seek(1, 0)
    with pytest.raises(speakers.CannotDo, match="no_track"):
        sound.step(1, 0)
    sound.pause(0)
    assert at(sound, 0) == ("stopped", None, None)


def test_sets_the_volume_where_it_can() -> None:
    sound = loaded()
    sound.set_volume(0)
    assert sound.state(0, "now")["volume"] == 0
    sound.volume = None
    with pytest.raises(speakers.CannotDo, match="volume_unsupported"):
        sound.set_volume(10)


def test_knows_of_no_track_behind_the_last() -> None:
    with pytest.raises(speakers.CannotDo, match="no_such_offset"):
        loaded(offset=4)
