"""`python -m maas report`, as an operator uses it."""

import argparse
import datetime
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kit import clock
from maas.reconciliation import commands, model

Said = Callable[..., Awaitable[str]]


@pytest.fixture
def said(world: Any, capsys: pytest.CaptureFixture[str]) -> Said:
    """What the command prints for these arguments."""

    async def run(*words: str) -> str:
        parser = argparse.ArgumentParser()
        commands.REPORT.arguments(parser)
        capsys.readouterr()
        assert await commands.REPORT.run(world.maas.context, parser.parse_args(words)) == 0
        return capsys.readouterr().out

    return run


async def _compared(world: Any, *, is_finished: bool = True) -> None:
    await world.execute(
        """INSERT INTO subscriptions.comparisons (day, planned, compared, started_at, finished_at)
           VALUES ('2026-01-31', 4200, %(compared)s, '2026-01-31T00:00:01Z', %(finished)s)""",
        compared=4200 if is_finished else 1050,
        finished=datetime.datetime(2026, 1, 31, 0, 0, 42, tzinfo=datetime.UTC) if is_finished else None,
    )
    await world.execute(
        """INSERT INTO subscriptions.differences (day, pass_id, kind, ours, theirs, seen_at) VALUES
           ('2026-01-31', 'pass-1', 'status', 'activated', 'canceled', '2026-01-31T00:00:20Z'),
           ('2026-01-31', 'pass-2', 'missing', 'reserved', NULL, '2026-01-31T00:00:30Z')"""
    )


async def test_prints_what_differs(world: Any, said: Said) -> None:
    await _compared(world)
    assert (await said()).splitlines() == [
        "Comparison with the bank of 2026-01-31 (UTC)",
        "Finished at 2026-01-31T00:00:42Z after 41 s: 4200 compared.",
        "",
        "pass_id  kind     ours       theirs    seen_at",
        "pass-2   missing  reserved   -         2026-01-31T00:00:30Z",
        "pass-1   status   activated  canceled  2026-01-31T00:00:20Z",
        "",
        "2 in all: 1 with another status at the bank, 1 unknown to the bank.",
    ]


async def test_prints_json(world: Any, said: Said) -> None:
    await _compared(world)
    told = json.loads(await said("--day", "2026-01-31", "--json"))
    assert (told["state"], told["planned"], told["compared"]) == ("finished", 4200, 4200)
    assert told["totals"] == {"status": 1, "missing": 1, "unanswered": 0}
    assert told["differences"][1] == {
        "pass_id": "pass-1",
        "kind": "status",
        "ours": "activated",
        "theirs": "canceled",
        "seen_at": "2026-01-31T00:00:20+00:00",
    }


async def test_tells_that_one_broke_off(world: Any, said: Said) -> None:
    await _compared(world, is_finished=False)
    broken = "Broke off: 1050 of 4200 compared (25 %), begun at 2026-01-31T00:00:01Z. Begin anew with --run."
    assert (await said()).splitlines()[1] == broken


async def test_has_a_comparison_made_and_shows_how_far_it_is(world: Any, said: Said) -> None:
    await world.activated()
    ordered = (await said("--run")).splitlines()
    assert re.fullmatch(r"Under way since \S+: 0 of 1 compared \(0 %\)\. Ask again for what it finds\.", ordered[1])
    assert ordered[-1] == "No differences so far."
    bank = world.neighbours.vtb.on("GET", "/subscriptions/{pass_id}", {"status": "activated"})
    assert await world.maas.run_task("maas.reconciliation.compare") == ["done"]
    assert (await said("--day", str(clock.now().date()))).splitlines()[1].endswith(": 1 compared.")
    await said("--run")
    assert await world.maas.run_task("maas.reconciliation.compare") == ["done"]
    assert len(bank.calls) == 2


async def test_says_that_nothing_was_compared(world: Any, said: Said) -> None:
    with pytest.raises(model.ComparisonNotFound):
        await said()
    with pytest.raises(SystemExit) as refused:
        await said("--day", "yesterday")
    assert refused.value.code == 2
