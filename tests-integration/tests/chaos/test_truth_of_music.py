"""Two people click in a running stack while its parts are killed and sick: their screens tell what is heard in the car.

`CHAOS_SEED` plays the same clicks and troubles again, though not the same race.
"""

import asyncio
import os
import random
import secrets
from collections.abc import Callable

from chaos import figures
from chaos.music.trial import MUSIC
from chaos.music.truth import Ride, suffer
from chaos.stage import Stage
from local_stack import Stack
from testkit.waiting import until

LIFETIME_S = 3
LONGEST_LIE_S = LIFETIME_S + 5.0
CONFIG = {"MUSIC_COMMANDS": {"lifetime_s": LIFETIME_S}}


async def test_no_screen_lies_longer_than_a_command_lives(own_stack: Stack, told: Callable[[str], None]) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(10**6))
    told(f"to play this again: CHAOS_SEED={seed}")
    async with Stage.opened(own_stack) as stage:
        with stage.configured("music", CONFIG):
            await asyncio.to_thread(own_stack.restart, "music")
            ride = await Ride.begun(stage)
            with figures.timed("samples of the truth", f"CHAOS_SEED={seed}") as figure:
                await _lived(ride, random.Random(seed), told)
                figure.count = sum(screen.compared for screen in ride.screens)
                figure.remark += f", longest lie {max(screen.longest_lie_s for screen in ride.screens):.1f} s"
        await asyncio.to_thread(own_stack.restart, "music")
        await until(lambda: _is_sound(stage), timeout_s=15, period_s=0.2)
    for screen in ride.screens:
        assert screen.longest_lie_s <= LONGEST_LIE_S, "\n".join(screen.worst)
        assert screen.compared > 50, f"{screen.name} promised something {screen.compared} times"


async def _lived(ride: Ride, chance: random.Random, told: Callable[[str], None]) -> None:
    watching = [asyncio.create_task(ride.watch(screen)) for screen in ride.screens]
    listening = asyncio.create_task(ride.listen())
    clicking = [asyncio.create_task(ride.click(chance)) for _ in ride.screens]
    try:
        for line in await suffer(ride, chance):
            told(line)
        for task in clicking:
            task.cancel()
        await asyncio.gather(*clicking, return_exceptions=True)
        await until(ride.agrees, timeout_s=LONGEST_LIE_S, period_s=0.1)
        assert ride.dismissed == []
        await ride.finish()
    finally:
        for task in (*watching, *clicking, listening):
            task.cancel()
        ends = await asyncio.gather(*watching, listening, *clicking, return_exceptions=True)
    assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == []


async def _is_sound(stage: Stage) -> bool:
    wrong = [*await stage.unfinished("music"), *await MUSIC.broken(stage)]
    print("\n".join(wrong))
    return not wrong
