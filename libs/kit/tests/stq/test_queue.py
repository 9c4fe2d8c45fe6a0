"""Enqueueing is part of the caller's transaction, and never more than that."""

import contextlib
from typing import Any

import pytest

from kit import pg, scope, stq

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_enqueues_with_the_transaction(bench: Any) -> None:
    await bench.enqueue("1", word="hello")
    row = await bench.row("1")
    assert (row["queue"], row["kwargs"], row["state"]) == (bench.name, {"word": "hello"}, "waiting")
    assert bench.broker.bells == [bench.name]


async def test_forgets_what_is_rolled_back(bench: Any) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with bench.db.transaction() as tx:
            await bench.queue().enqueue(tx, bench.name, task_id="1")
            raise ZeroDivisionError
    assert await bench.states() == {}
    assert bench.broker.bells == []


async def test_rings_only_after_the_commit(bench: Any) -> None:
    async with bench.db.transaction() as tx:
        await bench.queue().enqueue(tx, bench.name, task_id="1")
        assert bench.broker.bells == []
    assert bench.broker.bells == [bench.name]


async def test_ignores_a_known_task_id(bench: Any) -> None:
    await bench.enqueue("1", word="first")
    await bench.enqueue("1", word="second")
    assert (await bench.row("1"))["kwargs"] == {"word": "first"}
    assert bench.broker.bells == [bench.name]


async def test_keeps_delayed_task_quiet(bench: Any) -> None:
    await bench.enqueue("1", delay_s=60)
    assert bench.broker.bells == []
    wait = "SELECT extract(epoch FROM due_at - created_at)::float8 FROM stq.tasks"
    assert await bench.db.one(pg.value, wait) == 60
    assert await stq.run_due(bench.queue(), [bench.task(_unreached)], None, bench.name) == []


async def _unreached(ctx: Any, claim: stq.Claim) -> None:
    raise AssertionError


async def test_puts_foreign_task_into_the_outbox(bench: Any) -> None:
    with scope.entered(scope.Scope(operation="test", traceparent=TRACE)):
        await bench.enqueue("1", name="other-service.word.hear", word="hello")
    assert await bench.states() == {}
    assert await stq.relay_due(bench.db, bench.broker) == 1
    (message,) = bench.broker.published
    assert message.pop("message_id")
    assert message.pop("traceparent").split("-")[1] == TRACE.split("-")[1]
    assert message == {"task_id": "1", "queue": "other-service.word.hear", "kwargs": {"word": "hello"}}
    assert await stq.relay_due(bench.db, bench.broker) == 0


async def test_says_when_foreign_task_is_due(bench: Any) -> None:
    await bench.enqueue("1", name="other.word.hear", delay_s=90)
    wait = "SELECT extract(epoch FROM (message->>'eta')::timestamptz - created_at)::float8 FROM stq.outbox"
    assert await bench.db.one(pg.value, wait) == 90


async def test_keeps_the_outbox_while_broker_is_away(bench: Any) -> None:
    bench.broker.is_connected = False
    await bench.enqueue("1", name="other.word.hear")
    assert await stq.relay_due(bench.db, bench.broker) == 0
    bench.broker.is_connected = True
    assert await stq.relay_due(bench.db, bench.broker) == 1


async def test_knows_own_tasks_by_either_spelling(bench: Any) -> None:
    queue = stq.Queue("maas-authproxy", bench.db, bench.broker)
    async with bench.db.transaction() as tx:
        await queue.enqueue(tx, "maas_authproxy.audit.purge", task_id="1")
        await queue.enqueue(tx, "maas-authproxy.audit.purge", task_id="2")
    assert await bench.states() == {"waiting": 2}


@pytest.mark.parametrize("name", ["", "word", "Maas.word", "maas..word", "maas.word;drop", "m." + "x" * 130])
async def test_refuses_odd_name(bench: Any, name: str) -> None:
    async with bench.db.transaction() as tx:
        with pytest.raises(ValueError, match="not a task name"):
            await bench.queue().enqueue(tx, name, task_id="1")


@pytest.mark.parametrize("task_id", ["", "x" * 257, "a\0b"])
async def test_refuses_odd_task_id(bench: Any, task_id: str) -> None:
    async with bench.db.transaction() as tx:
        with pytest.raises(ValueError, match="task_id"):
            await bench.queue().enqueue(tx, bench.name, task_id=task_id)


async def test_survives_a_broker_that_breaks(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, queue: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(type(bench.broker), "ring", broken)
    await bench.enqueue("1")
    assert await bench.states() == {"waiting": 1}


@pytest.mark.parametrize("state", ["done", "dead"])
async def test_begins_anew_when_told_so(bench: Any, state: str) -> None:
    await bench.enqueue("1", word="first")
    await bench.db.run(
        "UPDATE stq.tasks SET state = %(state)s, attempt = 3, last_error = 'x', finished_at = now()", state=state
    )
    async with bench.db.transaction() as tx:
        await bench.queue().enqueue(tx, bench.name, task_id="1", kwargs={"word": "second"}, again=True)
    row = await bench.row("1")
    assert (row["state"], row["attempt"], row["kwargs"], row["last_error"]) == ("waiting", 0, {"word": "second"}, None)
    assert bench.broker.bells == [bench.name, bench.name]


async def test_leaves_alone_what_is_under_way(bench: Any) -> None:
    await bench.enqueue("1", word="first")
    async with bench.db.transaction() as tx:
        await bench.queue().enqueue(tx, bench.name, task_id="1", kwargs={"word": "second"}, again=True)
    assert (await bench.row("1"))["kwargs"] == {"word": "first"}
    assert bench.broker.bells == [bench.name]
