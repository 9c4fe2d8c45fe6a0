from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kit import migrate, pg
from testkit import databases

Make = Callable[[Sequence[migrate.Stream]], databases.Clone]


@pytest.fixture
def streams(tmp_path: Path) -> list[migrate.Stream]:
    (tmp_path / "0001_words.sql").write_text("CREATE TABLE words (word text PRIMARY KEY);")
    return [migrate.Stream("words", tmp_path)]


async def _words(dsn: str, *added: str) -> list[str]:
    db = await pg.Database.open(dsn, name="test")
    try:
        for word in added:
            await db.run("INSERT INTO words VALUES (%(word)s)", word=word)
        return await db.all(pg.value, "SELECT word FROM words")
    finally:
        await db.close()


async def test_gives_each_test_a_fresh_migrated_database(make_database: Make, streams: list[migrate.Stream]) -> None:
    async with make_database(streams) as dsn:
        assert await _words(dsn, "one") == ["one"]
    async with make_database(streams) as dsn:
        assert await _words(dsn) == []


def test_works_without_a_loop(make_database: Make, streams: list[migrate.Stream]) -> None:
    with make_database(streams) as dsn:
        assert migrate.pending(dsn, streams) == []


async def test_keeps_sets_of_migrations_apart(
    make_database: Make, streams: list[migrate.Stream], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "0001_words.sql").write_text("CREATE TABLE words (word text PRIMARY KEY); INSERT INTO words VALUES ('x');")
    async with make_database([migrate.Stream("words", other)]) as dsn:
        assert await _words(dsn) == ["x"]
    async with make_database(streams) as dsn:
        assert await _words(dsn) == []
