"""Short checks of what must survive; they pass on a healthy suite, and a planted fault must make the right one fail.

A check needs maas behind its gates and the small tariff; it works with new people, and leaves every gate open.
"""

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator
from typing import Any

import orjson

from chaos import framing
from chaos.maas.asking import SMALL, ask_maas, sale
from chaos.maas.histories import Recorder
from chaos.maas.person import Action
from chaos.weather import Gated
from journeys.world import StepFailed, expect
from kit import pg, stq
from testkit.waiting import until


class Overheard:
    """A splitter that splits nothing and keeps what goes to the server."""

    def __init__(self) -> None:
        self.asked = bytearray()

    def __call__(self, *, is_open: bool = False) -> "Overheard":
        return self

    def feed(self, way: framing.Way, data: bytes) -> list[int]:
        """Keeps it."""
        if way == "to_server":
            self.asked += data
        return []


async def one_promo_code(gated: Gated) -> None:
    """A promo code whose making was answered with garbage is not made twice (MA-48)."""
    recorder = _recorder(gated)
    subject = await recorder.new_subject()
    await _fault(gated, "coupons", mode="truncated", times=2)
    pass_id = await recorder.sell(subject)
    await until(lambda: recorder.has_code(pass_id), timeout_s=20, period_s=0.1)
    made = expect(await gated.stage.world.sandbox("GET", "/coupons/_codes"), 200)["codes"]
    assert len([each for each in made if subject.yandex_uid in each["yandex_uids"]]) == 1


async def code_ordered_with_the_activation(gated: Gated) -> None:
    """While no task can be written, no subscription is activated either: both or none (MA-48)."""
    recorder = _recorder(gated)
    subject = await recorder.new_subject()
    pass_id = f"pass-{secrets.token_hex(6)}"
    await recorder.do(subject, Action("reserve", pass_id, SMALL))
    async with _locked_tasks(gated) as tx:
        await recorder.do(subject, Action("activate", pass_id), timeout_s=1.0)
        status = "SELECT status FROM subscriptions.subscriptions WHERE pass_id = %(pass_id)s"
        assert await tx.one(pg.value, status, pass_id=pass_id) == "reserved"


async def late_write_is_refused(gated: Gated) -> None:
    """A worker whose task is somebody else's by now writes nothing."""
    recorder = _recorder(gated)
    subject = await recorder.new_subject()
    await _fault(gated, "coupons", mode="slow", delay_ms=1200, times=1)
    pass_id = await recorder.sell(subject)
    db = gated.stage.databases["maas"]
    steal = """UPDATE stq.tasks SET lease_token = nextval('stq.lease_tokens'), lease_until = now() + interval '1 minute'
        WHERE queue = 'maas.promocode.issue' AND task_id = %(pass_id)s AND state = 'running'"""
    give = "UPDATE stq.tasks SET lease_until = now() WHERE task_id = %(pass_id)s AND state = 'running'"
    lost_before = await _lost_leases(gated)
    await until(lambda: db.run(steal, pass_id=pass_id), timeout_s=10)
    try:
        await until(lambda: _is_refused(gated, recorder, pass_id, lost_before), timeout_s=5, period_s=0.05)
    finally:
        await db.run(give, pass_id=pass_id)
    await until(lambda: recorder.has_code(pass_id), timeout_s=20, period_s=0.1)


async def _is_refused(gated: Gated, recorder: Recorder, pass_id: str, lost_before: float) -> bool:
    if await recorder.has_code(pass_id):
        raise StepFailed("a late write was taken")
    return await _lost_leases(gated) > lost_before


async def message_survives(gated: Gated) -> None:
    """A task that came by message is not lost when maas dies before it has stored it."""
    task_id = f"from-outside-{secrets.token_hex(4)}"
    body = {"message_id": task_id, "task_id": task_id, "queue": "maas.ride.report", "kwargs": {"order_id": task_id}}
    stack, db = gated.stage.stack, gated.stage.databases["maas"]
    broker = stq.Broker(stack.description["rabbitmq"], "chaos")
    await broker.start()
    try:
        async with _locked_tasks(gated) as tx:
            await until(lambda: broker.is_connected, timeout_s=20)
            await broker.publish("maas.ride.report", orjson.dumps(body), message_id=task_id)
            waiting = await until(lambda: _storing(tx), timeout_s=10)
            await asyncio.to_thread(stack.kill, "maas", stay_down=True)
            # The database would go on with what it was told, though nobody is there to hear of it.
            await tx.all(pg.value, "SELECT pg_terminate_backend(unnest(%(waiting)s::integer[]))", waiting=waiting)
    finally:
        await broker.close()
        if not stack.parts["maas"].server.is_alive():
            await asyncio.to_thread(stack.start_part, "maas")
    stored = "SELECT count(*) FROM stq.tasks WHERE task_id = %(task_id)s"
    await until(lambda: db.one(pg.value, stored, task_id=task_id), timeout_s=6, period_s=0.05)


async def _storing(tx: pg.Transaction) -> list[int]:
    """The connections over which a message is being stored."""
    storing = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%a.task_id%unnest%'"
    await tx.run("SELECT pg_stat_clear_snapshot()")
    return await tx.all(pg.value, storing)


class _Commits:
    """A splitter by which the answer to a COMMIT is cut at its first byte."""

    def __init__(self, *, is_open: bool = False) -> None:
        self._is_asked = False

    def feed(self, way: framing.Way, data: bytes) -> list[int]:
        """A message ends one byte after the COMMIT."""
        self._is_asked |= way == "to_server" and b"COMMIT" in data
        return [1] if self._is_asked and way == "to_client" else []


async def what_was_done_is_not_denied(gated: Gated) -> None:
    """A change whose commit is never heard of is not called a refusal, and may be asked for again."""
    subject = await _recorder(gated).new_subject()
    body = sale(subject, f"pass-{secrets.token_hex(6)}")
    gated.database.cut_at_message(2, _Commits)
    try:
        answer = await ask_maas(gated, "/subscription/reserve", body)
    finally:
        await gated.clear_up()
    found = "SELECT count(*) FROM subscriptions.subscriptions WHERE pass_id = %(pass_id)s"
    assert await gated.stage.databases["maas"].one(pg.value, found, pass_id=body["pass_id"]) == 1
    assert answer.status in (500, 502, 504), f"it was done, and answered {answer}"
    assert (await ask_maas(gated, "/subscription/reserve", body)).status == 200


async def write_is_sent_once(gated: Gated) -> None:
    """The edge does not send a change again when its answer is lost."""
    subject = await _recorder(gated).new_subject()
    heard = Overheard()
    gated.api.cut_at_message(1, heard)
    try:
        body = sale(subject, f"pass-{secrets.token_hex(6)}")
        answer = await gated.stage.world.partner("POST", "/subscription/reserve", body, patient=False)
    finally:
        gated.api.let_through()
    assert answer.status in (502, 504), f"an answer that was lost became {answer}"
    assert heard.asked.count(b"POST /maas/v1/subscription/reserve") == 1


def _recorder(gated: Gated) -> Recorder:
    return Recorder(gated, random.Random())


async def _fault(gated: Gated, neighbour: str, **order: Any) -> None:
    expect(await gated.stage.world.sandbox("PUT", f"/_faults/{neighbour}", order), 200)


async def _lost_leases(gated: Gated) -> float:
    """How many attempts at promo codes have lost their lease."""
    return sum(await gated.stage.world.metric("maas", "stq_tasks_total", outcome="lost", task="maas.promocode.issue"))


@contextlib.asynccontextmanager
async def _locked_tasks(gated: Gated) -> AsyncIterator[pg.Transaction]:
    """Nobody can write a task meanwhile."""
    async with gated.stage.databases["maas"].transaction() as tx:
        await tx.run("LOCK TABLE stq.tasks IN EXCLUSIVE MODE")
        yield tx
