"""What tests of several processes noted becomes one table."""

import contextlib
import os
import subprocess
import sys

import pytest

from chaos import figures


@pytest.fixture(autouse=True)
def _run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of its own, so that nothing of this is in the real table."""
    monkeypatch.delenv("CHAOS_FIGURES", raising=False)


def test_adds_up_what_every_process_noted() -> None:
    figures.begin()
    try:
        figures.note("wire cases tried", 40, 1.5, "edge")
        code = (
            "from chaos import figures; figures.note('wire cases tried', 2, 0.5, 'maas'); figures.note('kills', 1, 3)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
        with contextlib.suppress(RuntimeError), figures.timed("kills") as figure:
            figure.count = 4
            raise RuntimeError
        assert [" ".join(line.split()) for line in figures.table()] == [
            "wire cases tried 42 2.0 s edge; maas",
            "kills 5 3.0 s",
        ]
    finally:
        figures.end()


def test_shows_nothing_when_nothing_was_noted() -> None:
    figures.note("kills", 1, 1.0)
    assert figures.table() == []
