"""What the database refuses, by what a caller may do about it."""

import asyncio
from typing import Any

import pytest

from kit import errors, pg

TABLES = """
CREATE TABLE owner (id int PRIMARY KEY);
CREATE TABLE thing (
    id int CONSTRAINT thing_once PRIMARY KEY,
    owner_id int CONSTRAINT thing_has_owner REFERENCES owner,
    size int NOT NULL CONSTRAINT thing_is_small CHECK (size < 10),
    later int CONSTRAINT thing_later UNIQUE DEFERRABLE INITIALLY DEFERRED,
    room int4range,
    CONSTRAINT thing_room_taken EXCLUDE USING gist (room WITH &&)
);
INSERT INTO thing (id, size, later, room) VALUES (1, 1, 1, '[1,5)');
"""


@pytest.mark.parametrize(
    ("sql", "kind", "constraint"),
    [
        ("INSERT INTO thing (id, size) VALUES (1, 1)", pg.UniqueViolation, "thing_once"),
        ("INSERT INTO thing (id, size) VALUES (2, 99)", pg.CheckViolation, "thing_is_small"),
        ("INSERT INTO thing (id) VALUES (2)", pg.CheckViolation, "size"),
        ("INSERT INTO thing (id, size, owner_id) VALUES (2, 1, 7)", pg.ForeignKeyViolation, "thing_has_owner"),
        ("INSERT INTO thing (id, size, room) VALUES (2, 1, '[4,6)')", pg.ExclusionViolation, "thing_room_taken"),
        ("INSERT INTO thing (id, size, later) VALUES (2, 1, 1)", pg.UniqueViolation, "thing_later"),
    ],
)
async def test_names_the_constraint_that_refuses(
    db: pg.Database, sql: str, kind: type[pg.UniqueViolation], constraint: str
) -> None:
    await db.run(TABLES)
    with pytest.raises(kind) as caught:
        await db.run(sql)
    assert caught.value.constraint == constraint
    with pytest.raises(kind):
        async with db.transaction() as tx:
            await tx.run(sql)
    assert await db.all(pg.value, "SELECT id FROM thing") == [1]


async def test_gives_the_words_of_a_trigger(db: pg.Database) -> None:
    with pytest.raises(pg.RaisedByTrigger) as caught:
        await db.run("DO $$ BEGIN RAISE EXCEPTION 'no way back' USING CONSTRAINT = 'legal_moves'; END $$")
    assert (caught.value.constraint, caught.value.message) == ("legal_moves", "no way back")


async def test_keeps_values_of_rows_out_of_its_exceptions(db: pg.Database) -> None:
    await db.run("CREATE TABLE person (phone text PRIMARY KEY); INSERT INTO person VALUES ('+79990001122')")
    with pytest.raises(pg.UniqueViolation) as caught:
        await db.run("INSERT INTO person VALUES ('+79990001122')")
    with pytest.raises(pg.StatementFailed) as wrong:
        await db.run("SELECT 'to +79990001122'::int")
    assert wrong.value.sqlstate == "22P02"
    for error in (caught.value, wrong.value):
        assert error.__suppress_context__
        assert "7999" not in repr(error)
        assert "7999" not in str(error)


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("57014", errors.Timeout),
        ("57014", pg.StatementTimeout),
        ("55P03", pg.LockTimeout),
        ("40001", pg.SerializationConflict),
        ("40P01", pg.SerializationConflict),
        ("25006", pg.ReadOnly),
        ("53100", pg.DiskFull),
        ("53100", errors.Unavailable),
        ("53200", pg.Unavailable),
        ("53300", pg.Unavailable),
        ("42P01", pg.StatementFailed),
        ("22003", pg.StatementFailed),
        ("42P01", errors.Internal),
    ],
)
async def test_translates_every_sqlstate(db: pg.Database, sqlstate: str, kind: type) -> None:
    with pytest.raises(kind):
        await db.run(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$")
    assert await db.one(pg.value, "SELECT 1") == 1


@pytest.mark.parametrize(("sqlstate", "kind"), [("57P01", pg.OutcomeUnknown), ("57P02", pg.OutcomeUnknown)])
async def test_takes_a_connection_that_says_good_bye_for_dead(db: pg.Database, sqlstate: str, kind: type) -> None:
    sql = f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$"
    with pytest.raises(kind):
        await db.run(sql)
    with pytest.raises(pg.Unavailable):
        async with db.transaction() as tx:
            await tx.run(sql)
    assert await db.one(pg.value, "SELECT 1") == 1


async def test_heals_after_a_read_only_spell(open_database: Any, make_database: Any) -> None:
    async with make_database([]) as dsn:
        await _go_through_a_read_only_spell(open_database, dsn)


async def _go_through_a_read_only_spell(open_database: Any, dsn: str) -> None:
    admin = await open_database(f"{dsn}?options=-c%20default_transaction_read_only%3Doff", name="admin")
    name = await admin.one(pg.value, "SELECT current_database()")
    await admin.run("CREATE TABLE pair (id int)")
    await admin.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    db = await open_database(dsn)
    with pytest.raises(pg.ReadOnly):
        await db.run("INSERT INTO pair VALUES (1)")
    with pytest.raises(pg.ReadOnly):
        async with db.transaction() as tx:
            await tx.run("INSERT INTO pair VALUES (1)")
    assert await db.all(pg.value, "SELECT id FROM pair") == []
    await admin.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    with pytest.raises(pg.ReadOnly):
        await db.run("INSERT INTO pair VALUES (1)")
    assert await db.run("INSERT INTO pair VALUES (1)") == 1


async def test_reports_a_lock_held_by_another(pair: pg.Database) -> None:
    await pair.run("INSERT INTO pair VALUES (1, 'a')")
    is_locked, is_done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with pair.transaction() as tx:
            await tx.run("UPDATE pair SET name = 'b'")
            is_locked.set()
            await is_done.wait()

    holder = asyncio.ensure_future(hold())
    await is_locked.wait()
    with pytest.raises(pg.LockTimeout):
        await pair.run("UPDATE pair SET name = 'c'")
    is_done.set()
    await holder
    assert await pair.one(pg.value, "SELECT name FROM pair") == "b"


async def test_reports_a_deadlock_to_one_of_two(pair: pg.Database) -> None:
    await pair.run("INSERT INTO pair VALUES (1, 'a'), (2, 'a')")
    ready = asyncio.Barrier(2)

    async def swap(first: int, second: int) -> None:
        async with pair.transaction() as tx:
            await tx.run("SET LOCAL deadlock_timeout = '20ms'")
            await tx.run("UPDATE pair SET name = 'b' WHERE id = %(id)s", id=first)
            await ready.wait()
            await tx.run("UPDATE pair SET name = 'b' WHERE id = %(id)s", id=second)

    outcomes = await asyncio.gather(swap(1, 2), swap(2, 1), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "SerializationConflict"]
