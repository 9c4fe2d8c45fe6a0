"""Named places: silent unless a test arms them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kit import failpoints, migrate, pg


@pytest.fixture
def reached() -> Iterator[list[str]]:
    names: list[str] = []
    failpoints.arm(names.append)
    yield names
    failpoints.arm(None)


def test_says_nothing_while_nobody_listens() -> None:
    assert not failpoints.is_armed()
    failpoints.reach("somewhere", "before_commit")


def test_names_the_place_and_its_boundary(reached: list[str]) -> None:
    failpoints.reach("maas.subscriptions.actions.reserve", "before_commit")
    assert reached == ["maas.subscriptions.actions.reserve:before_commit"]


async def test_stands_on_both_sides_of_a_commit(
    reached: list[str], make_database: Callable[[list[migrate.Stream]], Any]
) -> None:
    async with make_database([]) as dsn:
        db = await pg.Database.open(dsn, name="failpoints", size=1)
        try:
            async with db.transaction() as tx:
                await tx.run("CREATE TABLE marks (number integer)")
                reached.clear()
            sides = [name.rpartition(":") for name in reached]
        finally:
            await db.close()
    assert [boundary for _, _, boundary in sides] == ["before_commit", "after_commit"]
    assert {where.rpartition(".")[2] for where, _, _ in sides} == {"test_stands_on_both_sides_of_a_commit"}
