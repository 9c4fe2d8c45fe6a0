"""Plays the journeys against a running stack; the exit status tells whether all passed."""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from journeys import JOURNEYS
from journeys.world import StepFailed, World, complain


async def _play(stack: dict[str, Any], names: list[str]) -> int:
    failed = []
    for name in names:
        journey = JOURNEYS[name]
        print(f"\nJourney {name}: {(journey.__doc__ or '').splitlines()[0]}", flush=True)
        started = time.monotonic()
        try:
            async with World.opened(stack) as world:
                await journey.play(world)
                print(f"\nJourney {name}: {world.steps} steps passed in {time.monotonic() - started:.1f} s", flush=True)
        except StepFailed as failure:
            complain(f"\nJourney {name} failed: {failure}")
            failed.append(name)
    return 1 if failed else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m journeys", description=__doc__)
    parser.add_argument("stack", type=Path, help="the stack.json of a running stack")
    parser.add_argument("--only", action="append", choices=sorted(JOURNEYS), help="play this one (may be repeated)")
    arguments = parser.parse_args()
    try:
        stack = json.loads(arguments.stack.read_text("utf-8"))
        return asyncio.run(_play(stack, arguments.only or list(JOURNEYS)))
    except (OSError, json.JSONDecodeError) as broken:
        complain(f"{arguments.stack} is not a stack file: {broken}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
