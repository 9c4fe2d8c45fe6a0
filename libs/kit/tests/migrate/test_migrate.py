"""Migrations: once each, in order, by one runner at a time, and clear words when they cannot."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from kit import migrate, pg
from testkit import waiting

until = waiting.until
Write = Callable[..., migrate.Stream]
FIRST = "CREATE TABLE steps (n int); INSERT INTO steps VALUES (1);"
SECOND = "INSERT INTO steps VALUES (2);"
# Stays until the test takes the gate away, so that it can be seen, or killed, in the middle.
GATED = "INSERT INTO steps VALUES (2); SELECT pg_advisory_xact_lock(77);"


RUNNER = """
import pathlib, sys
from kit import migrate
stream = migrate.Stream("shop", pathlib.Path(sys.argv[2]))
print("applied", migrate.apply(sys.argv[1], [stream], lambda said: print(said, flush=True)))
"""


class Start(Protocol):
    """Starts a runner in a process of its own."""

    async def __call__(self, stream: migrate.Stream) -> asyncio.subprocess.Process: ...


@pytest_asyncio.fixture
async def dsn(make_database: Any) -> AsyncIterator[str]:
    async with make_database([]) as address:
        yield address


@pytest_asyncio.fixture
async def db(dsn: str) -> AsyncIterator[pg.Database]:
    opened = await pg.Database.open(dsn, name="tests")
    yield opened
    await opened.close()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a stream's files, in order, and gives the stream."""

    def written(*texts: str, name: str = "shop", **files: str) -> migrate.Stream:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for number, text in enumerate(texts, start=1):
            (folder / f"{number:04d}_step.sql").write_text(text)
        for file, text in files.items():
            (folder / f"{file.removeprefix('n')}.sql").write_text(text)
        return migrate.Stream(name, folder)

    return written


def _apply(dsn: str, *streams: migrate.Stream) -> list[str]:
    return migrate.apply(dsn, streams, report=lambda _: None)


async def test_applies_what_is_missing_in_order(dsn: str, db: pg.Database, write: Write) -> None:
    stream = write(FIRST)
    other = write("CREATE TABLE other (a int)", name="stq")
    assert migrate.pending(dsn, [stream, other]) == ["shop/0001_step", "stq/0001_step"]
    assert await migrate.check(db, [stream, other]) == ["shop/0001_step", "stq/0001_step"]
    said: list[str] = []
    assert migrate.apply(dsn, [other, stream], said.append) == ["stq/0001_step", "shop/0001_step"]
    assert said == ["applying stq/0001_step", "applying shop/0001_step"]
    write(FIRST, SECOND)
    assert await migrate.check(db, [stream, other]) == ["shop/0002_step"]
    assert _apply(dsn, stream, other) == ["shop/0002_step"]
    assert _apply(dsn, stream, other) == migrate.pending(dsn, [stream, other]) == []
    assert await migrate.check(db, [stream, other]) == []
    assert await db.all(pg.value, "SELECT n FROM steps ORDER BY n") == [1, 2]
    rows: list[dict[str, object]] = await db.all(
        dict, "SELECT stream, number, name FROM public.schema_migrations ORDER BY 1, 2"
    )
    assert rows[-1] == {"stream": "stq", "number": 1, "name": "0001_step"}


async def test_bears_a_database_ahead_of_this_release(dsn: str, db: pg.Database, write: Write) -> None:
    stream = write(FIRST, SECOND)
    _apply(dsn, stream)
    (stream.folder / "0002_step.sql").unlink()
    assert _apply(dsn, stream) == await migrate.check(db, [stream]) == []


async def test_refuses_a_file_changed_after_it_was_applied(dsn: str, db: pg.Database, write: Write) -> None:
    stream = write(FIRST)
    _apply(dsn, stream)
    write(FIRST + " ", SECOND)
    sentence = "shop/0001_step was changed after it was applied"
    with pytest.raises(migrate.Failed, match=sentence):
        _apply(dsn, stream)
    with pytest.raises(migrate.Failed, match=sentence):
        migrate.pending(dsn, [stream])
    with pytest.raises(migrate.Failed, match=sentence):
        await migrate.check(db, [stream])
    assert await db.all(pg.value, "SELECT n FROM steps") == [1]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"n0001_a": FIRST, "n0003_c": SECOND}, "number 0002 is missing before 0003_c.sql"),
        ({"n0002_a": FIRST}, "number 0001 is missing"),
        ({"n0001_a": FIRST, "n0001_b": SECOND}, "number 0001 is taken twice"),
        ({"n0000_a": FIRST}, "number 0000 is taken twice"),
        ({"n0001_A": FIRST}, "0001_A.sql is not named"),
        ({"nfirst": FIRST}, "first.sql is not named"),
    ],
)
async def test_refuses_wrong_numbers(dsn: str, write: Write, files: dict[str, str], sentence: str) -> None:
    with pytest.raises(migrate.Failed, match=sentence):
        _apply(dsn, write(**files))


async def test_refuses_a_number_that_was_overtaken(dsn: str, db: pg.Database, write: Write) -> None:
    stream = write(FIRST, SECOND)
    _apply(dsn, stream)
    await db.run("DELETE FROM public.schema_migrations WHERE number = 1")
    with pytest.raises(migrate.Failed, match="shop/0001_step was never applied though number 0002 was"):
        _apply(dsn, stream)


async def test_refuses_a_folder_that_is_not_there(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(migrate.Failed, match="does not exist"):
        _apply(dsn, migrate.Stream("shop", tmp_path / "nowhere"))


async def test_refuses_a_server_that_is_not_there(write: Write) -> None:
    with pytest.raises(migrate.Failed, match="can't be reached"):
        _apply("postgresql://x@127.0.0.1:1/x", write(FIRST))


async def test_undoes_a_file_that_fails_and_keeps_those_before(dsn: str, db: pg.Database, write: Write) -> None:
    stream = write(FIRST, "INSERT INTO steps VALUES (2); SELECT nonsense;", SECOND)
    with pytest.raises(migrate.Failed, match=r'shop/0002_step failed: .*"nonsense"'):
        _apply(dsn, stream)
    assert await db.all(pg.value, "SELECT n FROM steps") == [1]
    assert await migrate.check(db, [stream]) == ["shop/0002_step", "shop/0003_step"]
    write(FIRST, SECOND)
    assert _apply(dsn, stream) == ["shop/0002_step", "shop/0003_step"]


async def test_refuses_files_that_end_their_transaction(dsn: str, write: Write) -> None:
    with pytest.raises(migrate.Failed, match="ends its transaction itself"):
        _apply(dsn, write("CREATE TABLE a (a int); COMMIT;"))


async def test_takes_percent_signs_and_dollars_as_they_are(dsn: str, db: pg.Database, write: Write) -> None:
    _apply(dsn, write("CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN '100%s;'; END $$;"))
    assert await db.one(pg.value, "SELECT f()") == "100%s;"


async def test_runs_statements_that_bear_no_transaction(dsn: str, db: pg.Database, write: Write) -> None:
    text = """-- no-transaction
-- drops what an interrupted run left
DROP INDEX CONCURRENTLY IF EXISTS steps_n;
CREATE INDEX CONCURRENTLY steps_n
    ON steps (n);  -- the index
"""
    stream = write(FIRST, text)
    assert _apply(dsn, stream) == ["shop/0001_step", "shop/0002_step"]
    assert await db.one(pg.value, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'steps_n'::regclass") is True
    await db.run("DELETE FROM public.schema_migrations WHERE number = 2")
    assert _apply(dsn, stream) == ["shop/0002_step"]


async def test_comes_again_for_a_table_in_use(
    dsn: str, db: pg.Database, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(migrate._SETTINGS, "lock_timeout", 50)
    monkeypatch.setattr(migrate, "TABLE_PAUSE_S", 0.02)
    stream = write(FIRST)
    _apply(dsn, stream)
    write(FIRST, "ALTER TABLE steps ADD COLUMN a int")
    said: list[str] = []
    async with db.transaction() as tx:
        await tx.all(pg.value, "SELECT n FROM steps")
        migrating = asyncio.ensure_future(asyncio.to_thread(migrate.apply, dsn, [stream], said.append))
        await until(lambda: said.count("shop/0002_step waits for a table that is in use") >= 2)
    assert await migrating == ["shop/0002_step"]

    monkeypatch.setattr(migrate, "TABLE_ATTEMPTS", 2)
    write(FIRST, "ALTER TABLE steps ADD COLUMN a int", "ALTER TABLE steps ADD COLUMN b int")
    async with db.transaction() as tx:
        await tx.all(pg.value, "SELECT n FROM steps")
        with pytest.raises(migrate.Failed, match="stayed locked"):
            await asyncio.to_thread(migrate.apply, dsn, [stream], said.append)


async def test_gives_up_waiting_for_another_runner(
    dsn: str, db: pg.Database, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_WAIT_S", 0.05)
    said: list[str] = []
    async with db.transaction() as tx:
        await tx.one(pg.value, "SELECT pg_advisory_xact_lock(%(key)s)", key=migrate.LOCK_KEY)
        with pytest.raises(migrate.Failed, match="another migration has been running"):
            await asyncio.to_thread(migrate.apply, dsn, [write(FIRST)], said.append)
    assert said == ["waiting for another migration to finish"]


@pytest_asyncio.fixture
async def start(dsn: str) -> AsyncIterator[Start]:
    started: list[asyncio.subprocess.Process] = []

    async def begin(stream: migrate.Stream) -> asyncio.subprocess.Process:
        runner = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUNNER, dsn, str(stream.folder), stdout=asyncio.subprocess.PIPE
        )
        started.append(runner)
        return runner

    yield begin
    for runner in started:
        if runner.returncode is None:
            runner.kill()
        await runner.communicate()


async def _is_at_the_gate(db: pg.Database) -> bool:
    sql = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'migrate' AND wait_event = 'advisory'
    """
    count: int = await db.one(pg.value, sql)
    return count == 1


async def _finished(runner: asyncio.subprocess.Process) -> list[str]:
    output, _ = await asyncio.wait_for(runner.communicate(), 10)
    assert runner.returncode == 0
    return output.decode().splitlines()


async def test_lets_one_of_three_runners_apply(dsn: str, db: pg.Database, write: Write, start: Start) -> None:
    stream = write(FIRST, GATED)
    async with db.transaction() as gate:
        await gate.run("SET LOCAL idle_in_transaction_session_timeout = 0")
        await gate.one(pg.value, "SELECT pg_advisory_xact_lock(77)")
        runners = await asyncio.gather(*(start(stream) for _ in range(3)))
        said = [await runner.stdout.readline() for runner in runners if runner.stdout]
    outcomes = [await _finished(runner) for runner in runners]
    assert sorted(said) == [b"applying shop/0001_step\n"] + [b"waiting for another migration to finish\n"] * 2
    assert sorted(outcome[-1] for outcome in outcomes) == [
        "applied ['shop/0001_step', 'shop/0002_step']",
        "applied []",
        "applied []",
    ]
    assert await db.all(pg.value, "SELECT n FROM steps ORDER BY n") == [1, 2]


async def test_needs_no_clean_up_after_a_runner_was_killed(
    dsn: str, db: pg.Database, write: Write, start: Start
) -> None:
    stream = write(FIRST, GATED)
    keeper = await pg.Database.open(dsn, name="keeper")
    async with keeper.transaction() as gate:
        await gate.run("SET LOCAL idle_in_transaction_session_timeout = 0")
        await gate.one(pg.value, "SELECT pg_advisory_xact_lock(77)")
        victim = await start(stream)
        await until(lambda: _is_at_the_gate(db))
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
        heir = await start(stream)
        # The server notices the dead client by itself, so the heir comes to the gate while it is still shut.
        assert heir.stdout is not None
        said = await heir.stdout.readline()
        if said.startswith(b"waiting"):
            said = await heir.stdout.readline()
        assert said == b"applying shop/0002_step\n"
    assert await _finished(heir) == ["applied ['shop/0002_step']"]
    assert await db.all(pg.value, "SELECT n FROM steps ORDER BY n") == [1, 2]
    await keeper.close()
