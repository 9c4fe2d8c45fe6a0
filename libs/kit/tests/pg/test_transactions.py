"""All or nothing, whoever cancels whom and whatever dies."""

import asyncio
from typing import Any

import pytest

from kit import failpoints, pg, scope
from testkit import waiting

until = waiting.until
INSERT = "INSERT INTO pair VALUES (%(id)s, 'a')"
IDS = "SELECT id FROM pair ORDER BY id"


class Stop(Exception):
    """What a body raises."""


async def _change(db: pg.Database, *ids: Any, fail: Exception | None = None, then: str = "") -> None:
    """A transaction that inserts the numbers, registers the functions, sends `then`, and raises `fail`."""
    async with db.transaction() as tx:
        for each in ids:
            if callable(each):
                tx.after_commit(each)
            else:
                await tx.run(INSERT, id=each)
        if then:
            await tx.run(then)
        if fail is not None:
            raise fail


async def test_commits_at_the_end_and_undoes_on_any_error(pair: pg.Database) -> None:
    async with pair.transaction() as tx:
        await tx.run(INSERT, id=1)
        assert await tx.all(pg.value, IDS) == [1]
    with pytest.raises(Stop):
        await _change(pair, 2, fail=Stop())
    assert await pair.all(pg.value, IDS) == [1]


async def test_calls_back_once_after_commit_and_never_after_rollback(pair: pg.Database) -> None:
    called: list[str] = []
    async with pair.transaction() as tx:
        await tx.run(INSERT, id=1)
        tx.after_commit(lambda: called.append("first"))
        tx.after_commit(lambda: called.append("second"))
        assert called == []
    assert called == ["first", "second"]
    with pytest.raises(Stop):
        await _change(pair, 2, lambda: called.append("never"), fail=Stop())
    with pytest.raises(pg.UniqueViolation):
        await _change(pair, 1, lambda: called.append("never"))
    assert called == ["first", "second"]


async def test_survives_a_callback_that_raises(pair: pg.Database, capsys: pytest.CaptureFixture[str]) -> None:
    called: list[str] = []

    def fail() -> None:
        raise Stop

    async with pair.transaction() as tx:
        await tx.run(INSERT, id=1)
        tx.after_commit(fail)
        tx.after_commit(lambda: called.append("next"))
    assert called == ["next"]
    assert await pair.all(pg.value, IDS) == [1]


async def test_takes_no_connection_without_statements(open_database: Any) -> None:
    db = await open_database("postgresql://nobody@127.0.0.1:1/none")
    called: list[int] = []
    async with db.transaction() as tx:
        tx.after_commit(lambda: called.append(1))
    assert called == [1]


async def test_refuses_a_second_connection_inside(pair: pg.Database) -> None:
    async with pair.transaction() as tx:
        await tx.run(INSERT, id=1)
        with pytest.raises(RuntimeError, match="use its tx"):
            await pair.one(pg.value, "SELECT 1")
        with pytest.raises(RuntimeError, match="use its tx"):
            async with pair.transaction():
                pass
    assert await pair.all(pg.value, IDS) == [1]


async def test_lets_tasks_started_inside_have_their_own_connection(pair: pg.Database) -> None:
    async with pair.transaction() as tx:
        await tx.run(INSERT, id=1)
        assert await asyncio.create_task(pair.all(pg.value, IDS)) == []


async def test_refuses_to_be_used_by_two_tasks_at_once(pair: pg.Database) -> None:
    async def both() -> None:
        async with pair.transaction() as tx:
            await tx.one(pg.value, "SELECT 1")
            await asyncio.gather(tx.run("SELECT pg_sleep(0.05)"), tx.run("SELECT 2"))

    with pytest.raises(RuntimeError, match="no gather"):
        await both()
    assert await pair.one(pg.value, "SELECT 1") == 1


async def test_refuses_to_go_on_after_a_failure(pair: pg.Database) -> None:
    async def go_on(wrong: str) -> None:
        async with pair.transaction() as tx:
            with pytest.raises((pg.UniqueViolation, pg.StatementFailed)):
                await tx.run(wrong)
            with pytest.raises(RuntimeError, match="has failed"):
                await tx.run(INSERT, id=5)

    for wrong in ("INSERT INTO pair VALUES (1, 'a'), (1, 'b')", "NOT SQL"):
        with pytest.raises(RuntimeError, match="was undone"):
            await go_on(wrong)
    assert await pair.all(pg.value, IDS) == []


async def test_refuses_bodies_that_end_the_transaction_themselves(pair: pg.Database) -> None:
    with pytest.raises(RuntimeError, match="undone"):
        await _change(pair, 1, then="ROLLBACK")
    assert await pair.all(pg.value, IDS) == []


async def test_refuses_use_before_and_after(pair: pg.Database) -> None:
    tx = pair.transaction()
    with pytest.raises(RuntimeError, match="over"):
        await tx.run(INSERT, id=1)
    async with tx:
        pass
    with pytest.raises(RuntimeError, match="over"):
        await tx.run(INSERT, id=1)
    with pytest.raises(RuntimeError, match="once"):
        async with tx:
            pass


async def test_says_that_it_has_written(pair: pg.Database) -> None:
    async def written(action: Any) -> bool:
        with scope.entered(scope.Scope("test")) as entered:
            await action
            return entered.has_written

    async def change(*, fails: bool) -> None:
        try:
            async with pair.transaction() as tx:
                await tx.run("UPDATE pair SET name = 'b'")
                if fails:
                    raise Stop
        except Stop:
            pass

    async def read() -> None:
        async with pair.transaction() as tx:
            await tx.all(pg.value, IDS)

    assert await written(change(fails=False))
    assert await written(pair.run("UPDATE pair SET name = 'b'"))
    assert not await written(change(fails=True))
    assert not await written(read())
    assert not await written(pair.all(pg.value, IDS))


async def test_reaches_failpoints_named_after_the_code(pair: pg.Database) -> None:
    reached: list[str] = []
    failpoints.arm(reached.append)
    try:
        async with pair.transaction() as tx:
            await tx.run(INSERT, id=1)
        await pair.run("UPDATE pair SET name = 'b'")
        await pair.all(pg.value, IDS)
        async with pair.transaction() as tx:
            await tx.all(pg.value, IDS)
    finally:
        failpoints.arm(None)
    where = f"{__name__}.test_reaches_failpoints_named_after_the_code"
    assert reached == [f"{where}:before_commit", f"{where}:after_commit"] * 2


async def test_undoes_what_a_failpoint_stops_before_the_commit(pair: pg.Database) -> None:
    def stop(place: str) -> None:
        if place.endswith("before_commit"):
            raise Stop

    failpoints.arm(stop)
    try:
        with pytest.raises(Stop):
            async with pair.transaction() as tx:
                await tx.run(INSERT, id=1)
    finally:
        failpoints.arm(None)
    assert await pair.all(pg.value, IDS) == []


@pytest.mark.parametrize("step", range(12))
async def test_undoes_everything_wherever_it_is_cancelled(open_database: Any, pair: pg.Database, step: int) -> None:
    """Cancelled after `step` turns of the loop: a committed row and a callback come together or not at all (B11)."""
    small = await open_database(name="small", size=1)
    called: list[int] = []

    async def change() -> None:
        async with small.transaction() as tx:
            await tx.run(INSERT, id=1)
            tx.after_commit(lambda: called.append(1))
            await tx.run(INSERT, id=2)

    for turns in (step, step + 12, step + 40):
        task = asyncio.ensure_future(change())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None
        await until(lambda: _settled(pair, called))
        called.clear()
        await pair.run("DELETE FROM pair")
        assert await small.one(pg.value, "SELECT 1") == 1


async def _settled(db: pg.Database, called: list[int]) -> bool:
    sql = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'small' AND state <> 'idle'
    """
    return await db.one(pg.value, sql) == 0 and await db.all(pg.value, IDS) == ([1, 2] if called else [])


async def test_finishes_a_commit_whose_task_is_cancelled(open_database: Any, pair: pg.Database, proxy: Any) -> None:
    far = await open_database(proxy.dsn)
    called: list[int] = []

    async def change() -> None:
        async with far.transaction() as tx:
            await tx.run(INSERT, id=1)
            tx.after_commit(lambda: called.append(1))

    proxy.hold_answer_at = b"COMMIT"
    with scope.entered(scope.Scope("test")) as entered:
        task = asyncio.ensure_future(change())
        await asyncio.wait_for(proxy.answer_held.wait(), 5)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        proxy.let_go.set()
        await asyncio.wait([task])
        assert task.cancelled()
        assert called == [1]
        assert entered.has_written
    assert await far.all(pg.value, IDS) == [1]
    assert proxy.connections == 1


async def test_does_not_know_the_outcome_of_a_commit_without_answer(
    open_database: Any, pair: pg.Database, proxy: Any
) -> None:
    far = await open_database(proxy.dsn)
    called: list[int] = []
    proxy.lose_at = b"COMMIT"
    with scope.entered(scope.Scope("test")) as entered:
        with pytest.raises(pg.OutcomeUnknown):
            await _change(far, 1, lambda: called.append(1))
        assert entered.has_written
    assert called == []
    proxy.lose_at = None
    assert await far.one(pg.value, "SELECT 1") == 1


async def test_knows_that_nothing_was_committed_before_the_commit(
    open_database: Any, pair: pg.Database, proxy: Any
) -> None:
    far = await open_database(proxy.dsn)
    proxy.lose_at = b"UPDATE"
    with scope.entered(scope.Scope("test")) as entered:
        with pytest.raises(pg.Unavailable):
            await _change(far, 1, then="UPDATE pair SET name = 'lost'")
        assert not entered.has_written
    assert await pair.all(pg.value, IDS) == []


async def test_does_not_know_the_outcome_of_a_lost_single_change(
    open_database: Any, pair: pg.Database, proxy: Any
) -> None:
    far = await open_database(proxy.dsn)
    proxy.lose_at = b"INSERT"
    with scope.entered(scope.Scope("test")) as entered:
        with pytest.raises(pg.OutcomeUnknown):
            await far.run(INSERT, id=1)
        assert entered.has_written


async def test_asks_again_when_a_read_was_lost(open_database: Any, pair: pg.Database, proxy: Any) -> None:
    far = await open_database(proxy.dsn)
    assert await far.one(pg.value, "SELECT 1") == 1
    proxy.lose_at = b"SELECT 2"
    with pytest.raises(pg.Unavailable):
        await far.one(pg.value, "SELECT 2")
    assert proxy.connections == 2


async def test_begins_again_when_the_first_statement_was_lost(
    open_database: Any, pair: pg.Database, proxy: Any
) -> None:
    far = await open_database(proxy.dsn, size=1)
    proxy.lose_at, proxy.losses_left = b"BEGIN", 1
    async with far.transaction() as tx:
        await tx.run(INSERT, id=1)
    assert proxy.connections == 2
    assert await pair.all(pg.value, IDS) == [1]


async def test_ends_transactions_left_idle_as_timeouts(open_database: Any, pair: pg.Database) -> None:
    db = await open_database(name="idler", size=1)

    async def idle() -> None:
        async with db.transaction() as tx:
            await tx.run(INSERT, id=1)
            await tx.run("SET idle_in_transaction_session_timeout = 50")
            await until(lambda: _is_gone(pair, "idler"))
            await tx.run(INSERT, id=2)

    with pytest.raises((pg.StatementTimeout, pg.Unavailable)):
        await idle()
    assert await db.all(pg.value, IDS) == []


async def _is_gone(db: pg.Database, name: str) -> bool:
    sql = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %(name)s
    """
    return bool(await db.one(pg.value, sql, name=name) == 0)
