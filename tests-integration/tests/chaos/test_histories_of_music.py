"""Whatever breaks while two people steer one player, what they were answered has an order, and what they saw was there.

`CHAOS_SEED` and `CHAOS_ROUNDS` play the same choices again (though not the same race), or more of them.
"""

import asyncio
import contextlib
import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable

import pytest

from chaos import figures, linearizability
from chaos.music import model, polls
from chaos.music.asking import Subject
from chaos.music.histories import Recorder, lived
from chaos.music.trial import MUSIC
from chaos.stage import Stage
from chaos.weather import Gated, Weather
from local_stack import Stack
from testkit.waiting import until

ROUNDS, ORDERS, CLICKS = 3, 2, 40
# Nothing ends by itself within a round, and nobody is told to wait.
CONFIG = {"MUSIC_COMMANDS": {"lifetime_s": 60, "limit": 1000, "limit_window_s": 1}}


@pytest.fixture
async def gated(own_stack: Stack) -> AsyncIterator[Gated]:
    """music behind its gates, patient with those who click a lot."""
    async with Stage.opened(own_stack) as stage:
        with stage.configured("music", CONFIG):
            async with Gated.opened(own_stack, MUSIC) as found:
                yield found


async def test_every_answer_has_its_place_in_one_order(gated: Gated, told: Callable[[str], None]) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(10**6))
    rounds = int(os.environ.get("CHAOS_ROUNDS") or ROUNDS)
    told(f"to play this again: CHAOS_SEED={seed} CHAOS_ROUNDS={rounds}")
    remark = f"CHAOS_SEED={seed}"
    async with polls.Watcher.opened(gated.stage.databases["music"]) as watcher:
        with figures.timed("histories checked", remark) as histories, figures.timed("polls judged") as looks:
            for number in range(rounds):
                began = time.monotonic()
                recorder, subjects, met = await _in_bad_weather(gated, seed + number)
                looks.count += sum(len(each.polls) for each in subjects)
                outcomes = dict(recorder.outcomes)
                told(f"{seed + number}: {outcomes} in {', '.join(met)}; {time.monotonic() - began:.1f} s")
                for each in subjects:
                    histories.count += _is_explained(each, await recorder.made(each), told)
                    assert await polls.wrong(watcher, each.order_id, each.polls) == []
                await _is_whole(gated)
    assert 2 * histories.count > rounds * ORDERS


async def _in_bad_weather(gated: Gated, seed: int) -> tuple[Recorder, list[Subject], list[str]]:
    weather = Weather(gated, random.Random(seed))
    recorder = Recorder(gated, random.Random(seed))
    subjects = [Subject.new() for _ in range(ORDERS)]
    for each in subjects:
        await recorder.begin(each)
    raging = asyncio.create_task(weather.rage())
    try:
        await asyncio.gather(*(lived(recorder, each, clicks=CLICKS) for each in subjects))
    finally:
        raging.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await raging
        await gated.clear_up()
    for each in subjects:
        await recorder.finish(each)
    return recorder, subjects, weather.met


def _is_explained(subject: Subject, made: dict[str, tuple[int, int]], told: Callable[[str], None]) -> bool:
    """Whether the judge came to an end: now and then so much may have happened that it is not worth the time."""
    try:
        wrong = model.check(subject.history, made)
    except linearizability.Undecided as undecided:
        told(f"{subject.order_id}: undecided at {undecided}")
        return False
    if wrong:
        pytest.fail("\n".join([str(wrong), "  of", *(f"    {each}" for each in subject.history)]), pytrace=False)
    return True


async def _is_whole(gated: Gated) -> None:
    await until(gated.stage.is_quiet, timeout_s=45, period_s=0.1)
    assert await MUSIC.broken(gated.stage) == []
