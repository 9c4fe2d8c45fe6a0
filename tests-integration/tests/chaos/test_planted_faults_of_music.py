"""The harness of music is tested by bugs that are planted on purpose, as that of maas is."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chaos.failpoints import ROOT
from chaos.music.checks import CONFIG
from chaos.music.faults import CHECKS, FAULTS
from chaos.music.trial import MUSIC
from chaos.planted import Planting
from chaos.stage import Stage
from local_stack import Stack


def test_every_fault_still_fits() -> None:
    for edit in (edit for fault in FAULTS for edit in fault.edits):
        text = (ROOT / edit.file).read_text("utf-8")
        assert edit.applied(text) != text
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 12


@pytest.fixture
async def planting(own_stack: Stack, tmp_path: Path) -> AsyncIterator[Planting]:
    """music, run from a copy, with commands that do not live long."""
    async with Stage.opened(own_stack) as stage:
        with stage.configured("music", CONFIG):
            async with Planting.opened(own_stack, MUSIC, tmp_path) as found:
                yield found


async def test_each_check_passes_until_its_fault_is_planted(planting: Planting, told: Callable[[str], None]) -> None:
    assert await planting.missed(CHECKS, FAULTS, told) == []
