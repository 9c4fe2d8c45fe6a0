"""The harness is tested by bugs that are planted on purpose: without one all checks pass, with one its check fails."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chaos import figures
from chaos.asking import small_tariff
from chaos.failpoints import ROOT
from chaos.faults import CHECKS, FAULTS, Edit, Fault, FitsNoMore
from chaos.planted import Planting
from journeys.world import StepFailed
from local_stack import Stack


def test_every_fault_still_fits() -> None:
    for edit in (edit for fault in FAULTS for edit in fault.edits):
        text = (ROOT / edit.file).read_text("utf-8")
        assert edit.applied(text) != text
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 12


def test_says_which_fault_fits_no_more() -> None:
    with pytest.raises(FitsNoMore, match=r"demo.py has 2 times: return True"):
        Edit("demo.py", "return True", "return False").applied("return True\nreturn True\n")


@pytest.fixture
async def planting(own_stack: Stack, tmp_path: Path) -> AsyncIterator[Planting]:
    """The services of the stack, run from a copy."""
    with small_tariff(own_stack):
        async with Planting.opened(own_stack, tmp_path) as found:
            yield found


async def test_each_check_passes_until_its_fault_is_planted(planting: Planting, told: Callable[[str], None]) -> None:
    for check in CHECKS:
        began = time.monotonic()
        await planting.check(check)
        told(f"{check.__name__} passes: {time.monotonic() - began:.1f} s")
    with figures.timed("planted faults caught") as caught:
        missed = [fault.name for fault in FAULTS if not await _is_caught(planting, fault, told)]
        caught.count = len(FAULTS) - len(missed)
    assert missed == []


async def _is_caught(planting: Planting, fault: Fault, told: Callable[[str], None]) -> bool:
    began = time.monotonic()
    async with planting.fault(fault):
        try:
            await planting.check(fault.check)
        except (AssertionError, StepFailed) as wrong:
            told(f"{fault.name}: caught by {fault.check.__name__} in {time.monotonic() - began:.1f} s: {wrong}"[:300])
            return True
    told(f"{fault.name}: not caught by {fault.check.__name__}")
    return False
