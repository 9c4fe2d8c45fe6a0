"""At the end of a run: what the harness did."""

from typing import Any

import pytest

from chaos import figures


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        figures.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        figures.end()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if lines := figures.table():
        terminalreporter.section("what the harness did")
        for line in lines:
            terminalreporter.line(line)
