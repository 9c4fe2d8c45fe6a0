"""The harness is tested by bugs that are planted on purpose: without one all checks pass, with one its check fails."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chaos.failpoints import ROOT
from chaos.maas.asking import small_tariff
from chaos.maas.faults import CHECKS, FAULTS
from chaos.maas.trial import MAAS
from chaos.planted import Edit, FitsNoMore, Planting
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
        async with Planting.opened(own_stack, MAAS, tmp_path) as found:
            yield found


async def test_each_check_passes_until_its_fault_is_planted(planting: Planting, told: Callable[[str], None]) -> None:
    assert await planting.missed(CHECKS, FAULTS, told) == []
