"""Whether a ride has music (M-24..M-26, M-34): the cheap questions first, plus last, and every refusal is told."""

from typing import Any

import pytest

from kit import metrics

STATUS = "/internal/v1/subscriptions/status"


def _not_opened(reason: str) -> float:
    return metrics.value("music_players_not_opened_total", reason=reason)


async def _is_refused(processing: Any, reason: str, **passenger: Any) -> None:
    before = _not_opened(reason)
    answer = await processing.assigned(**passenger)
    assert answer == {"player_id": None, "reason": reason}
    assert await processing.players() == []
    assert await processing.reason() == reason
    assert _not_opened(reason) == before + 1
    assert await processing.assigned(**passenger) == answer
    assert _not_opened(reason) == before + 1


async def test_refuses_whom_the_experiment_does_not_name(processing: Any) -> None:
    await processing.in_experiment({"uid": [1]})
    await _is_refused(processing, "not_in_experiment")
    assert processing.world.neighbours.plus.calls() == []


@pytest.mark.parametrize(
    "when",
    [
        {"uid": [4001]},
        {"phone_id": ["phone-1"]},
        {"flags": ["ya-plus"]},
        {"city": ["moscow"]},
        {"application": ["iphone"]},
        {"version": ">=5.1,<5.2"},
    ],
)
async def test_asks_the_experiment_with_all_that_is_known(processing: Any, when: Any) -> None:
    await processing.in_experiment(when)
    assert (await processing.assigned(application="iphone", application_version="5.1.7"))["player_id"]


async def test_refuses_an_account_that_is_only_a_phone(processing: Any) -> None:
    await _is_refused(processing, "not_portal", flags=["phonish", "ya-plus"])
    assert processing.world.neighbours.plus.calls() == []


@pytest.mark.parametrize("version", ["9.59", "9.59.99", "9", "8.100", "9.60-beta", "dev", "9.", "１０.0"])
async def test_refuses_a_taximeter_that_can_not_play(processing: Any, version: str) -> None:
    body = processing.world.assignment(application_version=version)
    answer = await processing.says("assigned", body)
    assert answer.body == {"player_id": None, "reason": "taximeter_too_old"}
    assert await processing.reason() == "taximeter_too_old"
    assert processing.world.neighbours.plus.calls() == []


@pytest.mark.parametrize("version", ["9.60", "9.60.0", "9.60.1", "9.100", "10", "10.0.1"])
async def test_takes_a_taximeter_that_can(processing: Any, version: str) -> None:
    answer = await processing.says("assigned", processing.world.assignment(application_version=version))
    assert answer.body["player_id"]


@pytest.mark.parametrize("version", ["9.60", "9.60.0"])
async def test_takes_the_first_version_however_it_is_written(processing: Any, version: str) -> None:
    await processing.world.configured(MUSIC_TAXIMETER_VERSION="9.60.0")
    answer = await processing.says("assigned", processing.world.assignment(application_version=version))
    assert answer.body["player_id"]


async def test_refuses_who_has_no_plus_whatever_the_flag_says(processing: Any) -> None:
    processing.world.neighbours.plus.on("GET", STATUS, answer={"has_plus": False})
    await _is_refused(processing, "no_plus")
    assert processing.world.neighbours.plus.calls()[0].query == {"yandex_uid": "4001"}


async def test_takes_who_has_plus_without_the_flag(processing: Any) -> None:
    assert (await processing.assigned(flags=["portal"]))["player_id"]


def _broken(world: Any, how: str) -> None:
    match how:
        case "500" | "429" | "403":
            world.neighbours.plus.on("GET", STATUS, answer={"code": "oops", "message": ""}, status=int(how))
        case "nonsense":
            world.neighbours.plus.on("GET", STATUS, answer={"has_plus": "perhaps"})
        case _:
            world.neighbours.plus.fail(how)


@pytest.mark.parametrize("how", ["500", "429", "403", "nonsense", "reset", "garbage", "truncated", "drip", "silent"])
@pytest.mark.parametrize("has_flag", [True, False])
async def test_believes_the_flag_when_plus_can_not_say(processing: Any, how: str, has_flag: bool) -> None:
    await processing.world.configured(CLIENT_QOS={"default": {"timeout_ms": 100, "attempts": 2}})
    _broken(processing.world, how)
    unanswered = metrics.value("music_plus_unanswered_total")
    answer = await processing.assigned(flags=["portal", "ya-plus"] if has_flag else ["portal"])
    assert (answer["player_id"] is not None, answer["reason"]) == (has_flag, None if has_flag else "no_plus")
    assert metrics.value("music_plus_unanswered_total") == unanswered + 1


async def test_forgets_why_there_was_no_music_once_there_is(processing: Any) -> None:
    await processing.assigned(1, flags=["phonish"])
    await processing.assigned(2)
    assert await processing.reason() is None
    assert await processing.active() == ["driver-1"]


async def test_remembers_why_there_was_no_music_when_the_order_is_over(processing: Any) -> None:
    await processing.assigned(1, flags=["phonish"])
    await processing.finished(2)
    assert await processing.reason() == "not_portal"
