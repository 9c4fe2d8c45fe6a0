"""A whole stack of live processes, started once for all journeys (or the one that STACK names, if one runs already)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import local_stack


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[dict[str, Any], local_stack.Stack | None]]:
    """What stack.json says, and the stack itself when it is ours."""
    with local_stack.running() as found:
        yield found


@pytest.fixture(scope="session")
def stack(running: tuple[dict[str, Any], local_stack.Stack | None]) -> dict[str, Any]:
    """What stack.json says of the stack to talk to."""
    return running[0]


@pytest.fixture(scope="session")
def own_stack(running: tuple[dict[str, Any], local_stack.Stack | None]) -> local_stack.Stack:
    """A stack of this test run alone, whose parts may be killed and whose logs may be read."""
    if running[1] is None:
        pytest.skip("STACK names a stack that is not ours to break")
    return running[1]


@pytest.fixture
def told() -> Iterator[Callable[[str], None]]:
    """Where a journey's steps go; shown when the test fails."""
    lines: list[str] = []
    yield lines.append
    print("\n".join(lines))
