"""Which reports the passenger hears of, and what a report makes of commands."""

import dataclasses
import datetime
from typing import Any

import pytest

from music.commands import model as commands
from music.commands.model import Status
from music.players.model import Action, Connection, Driver, Playback, Player, State
from music.players.model import Status as PlayerStatus
from music.taximeter import model

NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
TRACK = {"id": "1", "title": "Группа крови", "artists": ["Кино"], "duration_ms": 180_000}
PLAYING = State(
    playback=Playback.PLAYING,
    track=TRACK,
    position_ms=60_000,
    position_at=NOON,
    volume=50,
    context={"type": "album", "id": "1", "title": None},
    disallows={},
)


def _later(seconds: float) -> datetime.datetime:
    return NOON + datetime.timedelta(seconds=seconds)


def _player(state: State | None = PLAYING, connection: Connection = Connection.ONLINE) -> Player:
    return Player(
        player_id="player",
        order_id="order-1",
        yandex_uid="4001",
        driver=Driver("park", "driver"),
        status=PlayerStatus.ACTIVE,
        close_reason=None,
        connection=connection,
        state=state,
        last_error={"command_id": "earlier", "code": "expired"},
        version=7,
        last_seq=5,
        applied_seq=2,
        device_session="session",
        report_seq=1,
        opened_at=NOON,
        reported_at=NOON,
        now=_later(30),
    )


def _change(state: State, player: Player | None = None, *settlements: commands.Settlement) -> model.Change:
    told = commands.Told.of([], 0)
    return model.change(
        player or _player(), model.Report("order-1", "session", 2, state, told), commands.Settled(settlements, [])
    )


@pytest.mark.parametrize(
    ("changed", "is_visible"),
    [
        ({}, False),
        ({"position_ms": 75_000, "position_at": _later(15)}, False),
        ({"position_ms": 76_500, "position_at": _later(15)}, False),
        ({"position_ms": 73_500, "position_at": _later(15)}, False),
        ({"position_ms": 76_501, "position_at": _later(15)}, True),
        ({"position_ms": 73_499, "position_at": _later(15)}, True),
        ({"position_ms": None, "position_at": None}, True),
        ({"playback": Playback.PAUSED}, True),
        ({"playback": Playback.BUFFERING}, True),
        ({"track": TRACK | {"id": "2"}}, True),
        ({"track": None}, True),
        ({"volume": 51}, True),
        ({"volume": None}, True),
        ({"disallows": {Action.NEXT: "end_of_playlist"}}, True),
        ({"context": None}, False),
    ],
)
def test_tells_the_passenger_of_what_he_can_see(changed: Any, is_visible: bool) -> None:
    found = _change(dataclasses.replace(PLAYING, **changed))
    assert found.is_visible is is_visible
    anchor = (found.state.position_ms, found.state.position_at)
    assert (anchor == (60_000, NOON)) or is_visible


def test_moves_a_paused_song_with_no_time() -> None:
    paused = dataclasses.replace(PLAYING, playback=Playback.PAUSED)
    still = dataclasses.replace(paused, position_at=_later(20))
    assert not _change(still, _player(paused)).is_visible
    moved = dataclasses.replace(still, position_ms=62_000)
    assert _change(moved, _player(paused)).is_visible


def test_does_not_drift_by_small_steps() -> None:
    player, seen = _player(), []
    for step in range(1, 5):
        state = dataclasses.replace(PLAYING, position_ms=60_000 + 1_500 * step, position_at=_later(step / 2))
        change = _change(state, player)
        seen.append(change.is_visible)
        player = dataclasses.replace(player, state=change.state)
    assert seen == [False, True, False, True]


def test_tells_the_passenger_of_the_first_report_and_of_one_after_a_loss() -> None:
    assert _change(PLAYING, _player(None, Connection.CONNECTING)).is_visible
    assert _change(PLAYING, _player(connection=Connection.LOST)).is_visible


def test_disallows_in_a_word_that_changes_nothing() -> None:
    muted = dataclasses.replace(PLAYING, volume=None)
    louder = dataclasses.replace(muted, disallows={Action.SET_VOLUME: "no_amplifier"})
    assert not _change(louder, _player(muted)).is_visible


def test_lets_nothing_play_in_the_future() -> None:
    early = dataclasses.replace(PLAYING, position_ms=0, position_at=_later(3600))
    assert _change(early).state.position_at == _later(30)


def _open(seq: int, expires_in_s: float = 10) -> commands.Open:
    return commands.Open(
        seq=seq,
        command_id=f"command-{seq}",
        action=Action.NEXT,
        args={},
        status=Status.DELIVERED,
        created_at=_later(expires_in_s - 15),
        expires_at=_later(expires_in_s),
        read_at=NOON,
    )


def _result(seq: int, status: Status = Status.APPLIED, reason: str | None = None) -> commands.Result:
    return commands.Result(seq, status, reason)


@pytest.mark.parametrize(
    ("waiting", "results", "applied_seq", "settled"),
    [
        ([_open(3)], [], 2, {}),
        ([_open(3)], [_result(3)], 3, {3: (Status.APPLIED, None)}),
        ([_open(3)], [_result(3)], 0, {3: (Status.APPLIED, None)}),
        ([_open(3)], [_result(3, Status.FAILED, "no_licence")], 3, {3: (Status.FAILED, "no_licence")}),
        ([_open(3)], [], 3, {3: (Status.FAILED, "no_result")}),
        ([_open(3), _open(4)], [_result(4)], 4, {3: (Status.FAILED, "no_result"), 4: (Status.APPLIED, None)}),
        ([_open(3), _open(4)], [_result(3)], 3, {3: (Status.APPLIED, None)}),
        ([_open(3, 0)], [_result(3)], 3, {3: (Status.EXPIRED, None)}),
        ([_open(3, 0)], [], 0, {3: (Status.EXPIRED, None)}),
        ([_open(3, 0.001)], [_result(3)], 3, {3: (Status.APPLIED, None)}),
        ([], [_result(2)], 2, {}),
    ],
)
def test_settles_what_a_report_tells_of(waiting: Any, results: Any, applied_seq: int, settled: Any) -> None:
    found = commands.settlements(waiting, commands.Told.of(results, applied_seq))
    assert {each.command.seq: (each.status, each.reason) for each in found} == settled


def test_shows_the_newest_failure() -> None:
    told = commands.Told.of([_result(4, Status.FAILED, "no_licence")], 5)
    settled = commands.Settled(commands.settlements([_open(3, 0), _open(4), _open(5)], told), [])
    assert settled.error == {"command_id": "command-5", "code": "no_result"}
    assert commands.Settled(commands.settlements([_open(3, 0)], told), []).error == {
        "command_id": "command-3",
        "code": "expired",
    }
    assert commands.Settled(commands.settlements([_open(3)], commands.Told.of([_result(3)], 3)), []).error is None


def test_keeps_the_former_error_until_a_command_is_accepted() -> None:
    assert _change(PLAYING).last_error == {"command_id": "earlier", "code": "expired"}
    failed = commands.Settlement(_open(3), Status.FAILED, "no_licence")
    assert _change(PLAYING, None, failed).last_error == {"command_id": "command-3", "code": "no_licence"}
