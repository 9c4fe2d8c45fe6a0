"""A rolling restart of music while passengers and taximeters wait for news: none of them is failed or kept."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest

from journeys.ride_on_the_wire import MUSIC, Answer, Ride
from local_stack import Stack

_SCREENS, _TAXIMETERS, _CLIENTS = 150, 50, 20
_WAIT_MS = 20_000
# How long a process that is told to stop still serves, so that the balancer can turn away from it.
_DRAIN_S = 1.0
_PROMPT_S = 2.0


@pytest.fixture
async def ride(own_stack: Stack) -> AsyncIterator[Ride]:
    """A ride with music, reported once."""
    async with Ride.begun(own_stack.description) as found:
        await found.reported(title="first")
        yield found


async def test_answers_all_who_wait_when_it_is_told_to_stop(own_stack: Stack, ride: Ride) -> None:
    version = (await ride.polled()).body["version"]
    waiting = [
        *(asyncio.create_task(ride.polled(version=version, wait_ms=_WAIT_MS)) for _ in range(_SCREENS)),
        *(asyncio.create_task(ride.pulled(after_seq=0, wait_ms=_WAIT_MS)) for _ in range(_TAXIMETERS)),
    ]
    # A poll that is answered proves that those before it were taken.
    await asyncio.wait(waiting, timeout=1.0)
    assert (await ride.polled()).status == 200
    assert not any(each.done() for each in waiting)
    began = time.monotonic()
    try:
        await asyncio.to_thread(own_stack.stop_part, MUSIC)
        took_s = time.monotonic() - began
        answers = await asyncio.gather(*waiting)
    finally:
        await asyncio.to_thread(own_stack.start_part, MUSIC)
    assert [answer.status for answer in answers[:_SCREENS]] == [304] * _SCREENS
    assert [answer.status for answer in answers[_SCREENS:]] == [200] * _TAXIMETERS
    assert took_s < _DRAIN_S + _PROMPT_S


async def test_fails_nobody_in_a_rolling_restart(own_stack: Stack, ride: Ride) -> None:
    with contextlib.ExitStack() as stack:
        second = await asyncio.to_thread(stack.enter_context, own_stack.replica(MUSIC))
        ended = asyncio.Event()
        doors = ([MUSIC, second], [second, MUSIC])
        following = [asyncio.create_task(_followed(ride, doors[n % 2], ended)) for n in range(_CLIENTS)]
        for process in (MUSIC, second):
            await asyncio.to_thread(own_stack.stop_part, process)
            moved = await ride.reported({MUSIC: second, second: MUSIC}[process], title=f"without {process}")
            await asyncio.to_thread(own_stack.start_part, process)
        ended.set()
        seen = await asyncio.gather(*following)
        await asyncio.to_thread(stack.close)
    for answers in seen:
        assert {answer.status for answer in answers} <= {200, 304}
        versions = [answer.body["version"] for answer in answers if answer.status == 200]
        assert versions == sorted(set(versions))
        assert versions[-1] == moved.body["version"]


async def _followed(ride: Ride, doors: Sequence[str], ended: asyncio.Event) -> list[Answer]:
    """What a client sees that waits for news all the time, and turns to the other process when a door is closed."""
    seen: list[Answer] = []
    version: int | None = None
    while not ended.is_set():
        try:
            answer = await ride.polled(doors[0], version=version, wait_ms=None if version is None else 500)
        except aiohttp.ClientConnectorError:
            doors = [*doors[1:], doors[0]]
            continue
        seen.append(answer)
        version = answer.body["version"] if answer.status == 200 else version
        await asyncio.sleep(0.05)
    return seen
