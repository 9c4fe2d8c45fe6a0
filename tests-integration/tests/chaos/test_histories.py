"""Whatever breaks while several clients work at the same subscriptions, what they were answered has an order.

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

from chaos import figures
from chaos.maas import invariants
from chaos.maas.asking import Subject, small_tariff
from chaos.maas.histories import Recorder, lived
from chaos.maas.trial import MAAS
from chaos.weather import Gated, Weather
from local_stack import Stack
from testkit.waiting import until

ROUNDS, PEOPLE, CLIENTS, OPERATIONS = 5, 2, 4, 50


@pytest.fixture
async def gated(own_stack: Stack) -> AsyncIterator[Gated]:
    """maas behind its gates, which sells a small tariff too."""
    with small_tariff(own_stack):
        async with Gated.opened(own_stack, MAAS) as found:
            yield found


async def test_every_answer_has_its_place_in_one_order(gated: Gated, told: Callable[[str], None]) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(10**6))
    rounds = int(os.environ.get("CHAOS_ROUNDS") or ROUNDS)
    told(f"to play this again: CHAOS_SEED={seed} CHAOS_ROUNDS={rounds}")
    remark = f"CHAOS_SEED={seed}"
    with figures.timed("histories checked", remark) as histories, figures.timed("operations in them") as operations:
        for number in range(rounds):
            began = time.monotonic()
            recorder, subjects, met = await _in_bad_weather(gated, seed + number)
            histories.count += len(subjects)
            operations.count += sum(len(each.history) for each in subjects)
            told(f"{seed + number}: {dict(recorder.outcomes)} in {', '.join(met)}; {time.monotonic() - began:.1f} s")
            for each in subjects:
                _explained(each)
            await _is_whole(gated)


async def _in_bad_weather(gated: Gated, seed: int) -> tuple[Recorder, list[Subject], list[str]]:
    weather = Weather(gated, random.Random(seed))
    recorder = Recorder(gated, random.Random(seed))
    subjects = [await recorder.new_subject() for _ in range(PEOPLE)]
    raging = asyncio.create_task(weather.rage())
    try:
        await lived(recorder, subjects, clients=CLIENTS, operations=OPERATIONS)
    finally:
        raging.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await raging
        await gated.clear_up()
    for each in subjects:
        await recorder.finish(each)
    return recorder, subjects, weather.met


def _explained(subject: Subject) -> None:
    if wrong := subject.verdict():
        pytest.fail("\n".join([str(wrong), "  of", *(f"    {each}" for each in subject.history)]), pytrace=False)


async def _is_whole(gated: Gated) -> None:
    await until(lambda: gated.stage.broker.is_connected, timeout_s=45, period_s=0.1)
    await until(gated.stage.is_quiet, timeout_s=45, period_s=0.1)
    await gated.stage.run_due("maas", "maas.subscriptions.settle")
    assert await invariants.broken(gated.stage) == []
