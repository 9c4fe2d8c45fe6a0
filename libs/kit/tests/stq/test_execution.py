"""One attempt: its scope, its limits, and what is written about it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kit import errors, metrics, pg, scope, stq
from kit.stq import execution

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class TooFoggy(errors.Conflict):
    """Nobody can see a thing."""


def raising(failure: BaseException) -> Callable[[Any, stq.Claim], Awaitable[None]]:
    async def body(ctx: Any, claim: stq.Claim) -> None:
        raise failure

    return body


async def run(bench: Any, body: Any, **options: Any) -> stq.Outcome:
    (outcome,) = await stq.run_due(bench.queue(), [bench.task(body, **options)], "context", bench.name)
    return outcome


async def test_gives_context_and_loaded_kwargs(bench: Any) -> None:
    seen: list[Any] = []

    async def body(ctx: Any, claim: stq.Claim) -> None:
        seen.append((ctx, claim.name, claim.task_id, claim.kwargs, claim.attempt))

    await bench.enqueue("1", word="hello", unknown=1)
    assert (await run(bench, body)).result == "done"
    assert seen == [("context", bench.name, "1", {"word": "hello"}, 1)]
    row = await bench.row("1")
    assert row["state"] == "done"
    assert row["finished_at"] >= row["started_at"]


async def test_carries_trace_and_deadline(bench: Any) -> None:
    seen: list[scope.Scope | None] = []

    async def body(ctx: Any, claim: stq.Claim) -> None:
        seen.append(scope.current())

    with scope.entered(scope.Scope(operation="test", traceparent=TRACE)):
        await bench.enqueue("1")
    await run(bench, body, time_limit_s=7)
    (here,) = seen
    assert here is not None
    assert here.operation == bench.name
    assert here.traceparent is not None
    assert here.traceparent.split("-")[1] == TRACE.split("-")[1]
    assert here.deadline is not None
    assert 0 < here.deadline - asyncio.get_running_loop().time() <= 7


async def test_retries_refusal_later(bench: Any) -> None:
    await bench.enqueue("1")
    outcome = await run(bench, raising(TooFoggy(where="here")), backoff_s=(100, 100))
    assert (outcome.result, outcome.error) == ("retry", "too_foggy")
    row = await bench.row("1")
    assert (row["state"], row["attempt"], row["last_error"]) == ("waiting", 1, "too_foggy")
    wait = "SELECT extract(epoch FROM due_at - started_at)::float8 FROM stq.tasks"
    assert await bench.db.one(pg.value, wait) == pytest.approx(outcome.delay_s, abs=1)


async def test_dies_after_the_last_attempt(bench: Any) -> None:
    await bench.enqueue("1")
    before = metrics.value("stq_dead_total", task=bench.name)
    task = bench.task(raising(ValueError("no such word")), max_attempts=3, backoff_s=(0, 0))
    outcomes = [(await stq.run_due(bench.queue(), [task], None, bench.name))[0] for _ in range(3)]
    assert [each.result for each in outcomes] == ["retry", "retry", "dead"]
    row = await bench.row("1")
    assert (row["state"], row["last_error"]) == ("dead", "ValueError: no such word")
    assert metrics.value("stq_dead_total", task=bench.name) == before + 1
    assert await stq.run_due(bench.queue(), [task], None, bench.name) == []


async def test_dies_of_age(bench: Any) -> None:
    await bench.enqueue("1")
    await bench.db.run("UPDATE stq.tasks SET first_due_at = now() - interval '2 hours'")
    assert (await run(bench, raising(TooFoggy()), max_attempts=None, max_age_s=7200)).result == "dead"


async def test_lives_until_its_age(bench: Any) -> None:
    await bench.enqueue("1")
    await bench.db.run("UPDATE stq.tasks SET first_due_at = now() - interval '1 hour', attempt = 1000")
    assert (await run(bench, raising(TooFoggy()), max_attempts=None, max_age_s=7200)).result == "retry"


async def test_gives_up_at_once(bench: Any) -> None:
    await bench.enqueue("1")
    assert (await run(bench, raising(stq.GiveUp("the word was withdrawn")))).result == "dead"
    assert (await bench.row("1"))["last_error"] == "gave up: the word was withdrawn"


async def test_refuses_invalid_kwargs_at_once(bench: Any) -> None:
    await bench.enqueue("1", word=5)
    outcome = await run(bench, raising(AssertionError()))
    assert (outcome.result, outcome.error) == ("dead", "invalid_kwargs: word")


async def test_ends_at_the_time_limit(bench: Any) -> None:
    async def body(ctx: Any, claim: stq.Claim) -> None:
        await asyncio.Event().wait()

    await bench.enqueue("1")
    outcome = await run(bench, body, time_limit_s=0.05)
    assert (outcome.result, outcome.error) == ("retry", "time_limit")


async def test_tells_own_timeout_from_the_limit(bench: Any) -> None:
    await bench.enqueue("1")
    assert (await run(bench, raising(TimeoutError()))).error == "TimeoutError"


async def test_counts_a_stray_cancellation_as_failure(bench: Any) -> None:
    await bench.enqueue("1")
    outcome = await run(bench, raising(asyncio.CancelledError()))
    assert (outcome.result, outcome.error) == ("retry", "cancelled")


async def test_hides_secrets_from_last_error(bench: Any) -> None:
    await bench.enqueue("1")
    await run(bench, raising(RuntimeError("call to +79991234567 failed\nDETAIL: Key (phone)=(+79991234567)")))
    assert "999" not in (await bench.row("1"))["last_error"]


async def test_bounds_last_error(bench: Any) -> None:
    await bench.enqueue("1")
    await run(bench, raising(RuntimeError("x\0\ud800ы" * 1000)))
    assert len((await bench.row("1"))["last_error"]) <= 500


async def test_finishes_within_own_transaction(bench: Any) -> None:
    async def body(ctx: Any, claim: stq.Claim) -> None:
        async with bench.db.transaction() as tx:
            await bench.queue().enqueue(tx, "other.word.hear", task_id="1")
            await claim.finish(tx)

    await bench.enqueue("1")
    assert (await run(bench, body)).result == "done"
    assert (await bench.row("1"))["state"] == "done"
    assert await bench.outbox() == 1


async def test_stays_done_when_it_fails_after_finishing(bench: Any) -> None:
    async def body(ctx: Any, claim: stq.Claim) -> None:
        async with bench.db.transaction() as tx:
            await claim.finish(tx)
        raise TooFoggy

    await bench.enqueue("1")
    assert (await run(bench, body)).result == "done"
    assert (await bench.row("1"))["state"] == "done"


async def test_retries_when_its_transaction_was_undone(bench: Any) -> None:
    async def body(ctx: Any, claim: stq.Claim) -> None:
        async with bench.db.transaction() as tx:
            await claim.finish(tx)
            raise TooFoggy

    await bench.enqueue("1")
    assert (await run(bench, body)).result == "retry"
    assert (await bench.row("1"))["state"] == "waiting"


async def test_rolls_back_when_the_lease_is_lost(bench: Any) -> None:
    async def body(ctx: Any, claim: stq.Claim) -> None:
        await bench.db.run("UPDATE stq.tasks SET lease_token = nextval('stq.lease_tokens')")
        async with bench.db.transaction() as tx:
            await bench.queue().enqueue(tx, "other.word.hear", task_id="1")
            await claim.finish(tx)

    await bench.enqueue("1")
    assert (await run(bench, body)).result == "lost"
    assert (await bench.row("1"))["state"] == "running"
    assert await bench.outbox() == 0


async def test_runs_all_that_is_due_and_no_other(bench: Any) -> None:
    async def body(ctx: Any, claim: stq.Claim) -> None:
        if claim.task_id == "1":
            await bench.enqueue("later")

    for task_id in ("1", "2", "3"):
        await bench.enqueue(task_id)
    await bench.enqueue("other", name=f"{bench.service}.other.one")
    outcomes = await stq.run_due(bench.queue(), [bench.task(body)], None, bench.name, all=True)
    assert [each.task_id for each in outcomes] == ["1", "2", "3"]


def test_backs_off_with_full_jitter(bench_free_task: stq.Task) -> None:
    random.seed(1)
    for attempt, most in ((1, 1), (2, 2), (5, 16), (10, 30), (100_000, 30)):
        waits = [execution.delay_s(bench_free_task, attempt) for _ in range(300)]
        assert 0 <= min(waits) < most * 0.1
        assert most * 0.9 < max(waits) <= most


@pytest.fixture
def bench_free_task() -> stq.Task:
    import marshmallow as ma

    return stq.task("a.b", kwargs=ma.Schema(), backoff_s=(1, 30))(raising(TooFoggy()))


@pytest.mark.parametrize(
    "options", [{"max_attempts": None}, {"concurrency": 0}, {"time_limit_s": 0}, {"name": "Not a name"}]
)
async def test_refuses_odd_task(bench: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=":"):
        bench.task(raising(TooFoggy()), **options)
