"""What the trail keeps of requests."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from kit import clock, metrics, migrate, pg
from maas_authproxy import app
from testkit import servers
from testkit.waiting import until

from .. import makers

NEW = "/maas-authproxy/v1"
RESERVE, INFO = f"{NEW}/subscription/reserve", f"{NEW}/subscription/info"
CREATE = f"{NEW}/users/create"
PHONE = "+79161234567"


def _core(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[name] for name in ("partner", "route", "method", "status", "pass_id", "maas_user_id"))


async def test_keeps_who_asked_what_and_how_it_ended(edge: Any) -> None:
    began = clock.now()
    edge.maas.on("POST", "/maas/v1/subscription/reserve", {"code": "budget_exhausted"}, status=409)
    await edge.ask("POST", RESERVE, makers.SALE, headers={"X-YaRequestId": "request-1"})
    (entry,) = await edge.trail(1)
    assert _core(entry) == ("vtb", RESERVE, "POST", 409, "pass-1", "person-1")
    assert entry["key_id"] == edge.key.partition(".")[0]
    assert entry["request_id"] == "request-1"
    assert began <= entry["at"] <= clock.now()
    assert 0 <= entry["duration_ms"] < 10_000


async def test_keeps_a_let_in_request_whose_body_was_refused(edge: Any) -> None:
    await edge.ask("POST", RESERVE, raw=b" " * (64 * 1024 + 1))
    (entry,) = await edge.trail(1)
    assert _core(entry) == ("vtb", RESERVE, "POST", 413, None, None)


async def test_keeps_every_outcome_of_a_let_in_request(edge: Any) -> None:
    edge.maas.on("GET", "/maas/v1/subscription/info", {"ok": True})
    edge.maas.on("POST", "/maas/v1/subscription/reserve", b"garbage")
    metro = edge.partners.add("metro", ("metro",))
    await edge.reload()
    await edge.ask("GET", f"{INFO}?maas_user_id=u-1")
    await edge.ask("GET", f"{INFO}?debug=1")
    await edge.ask("POST", RESERVE, raw=b"{")
    await edge.ask("POST", RESERVE, {"pass_id": "p"}, headers={"Content-Type": "text/plain"})
    await edge.ask("POST", RESERVE, {"pass_id": "p"})
    await edge.ask("POST", RESERVE, {"pass_id": "p"}, key=metro)
    await edge.ask("POST", "/maas-external/v1/pass/reserve", {"pass_id": "p"})
    entries = await edge.trail(7)
    assert [_core(entry) for entry in entries] == [
        ("vtb", INFO, "GET", 200, None, "u-1"),
        ("vtb", INFO, "GET", 400, None, None),
        ("vtb", RESERVE, "POST", 400, None, None),
        ("vtb", RESERVE, "POST", 415, None, None),
        ("vtb", RESERVE, "POST", 502, "p", None),
        ("metro", RESERVE, "POST", 403, None, None),
        ("vtb", "/maas-external/v1/pass/reserve", "POST", 404, None, None),
    ]


async def test_keeps_who_ran_out_of_time(edge: Any) -> None:
    edge.maas.fail("silent")
    await edge.ask("POST", RESERVE, {"pass_id": "p"}, headers={"X-YaTaxi-Client-TimeoutMs": "100"})
    (entry,) = await edge.trail(1)
    assert (entry["status"], entry["pass_id"]) == (504, "p")
    assert entry["duration_ms"] >= 90


async def test_keeps_strangers_without_a_name(edge: Any) -> None:
    ended = edge.partners.add("vtb", not_after=clock.now() - datetime.timedelta(days=1))
    await edge.reload()
    for key in (None, "unknown-1.key", ended):
        await edge.ask("GET", f"{INFO}?pass_id=p", key=key)
    entries = await edge.trail(3)
    assert {_core(entry) for entry in entries} == {(None, INFO, "GET", 401, None, None)}
    assert [entry["key_id"] for entry in entries] == [None, None, ended.partition(".")[0]]


async def test_keeps_no_body_no_key_and_no_phone(edge: Any) -> None:
    edge.maas.on("POST", "/maas/v1/users/create", {"maas_user_id": "u", "answer": "of maas"})
    stolen = edge.key + "x"
    await edge.ask("POST", CREATE, {"maas_user_id": "u", "phone": PHONE})
    await edge.ask("POST", CREATE, {"maas_user_id": f"{PHONE} a", "pass_id": {"phone": PHONE}, "more": "more of it"})
    await edge.ask("POST", CREATE, {"maas_user_id": "u", "phone": PHONE}, key=stolen)
    text = str(await edge.trail(3))
    for secret in (PHONE, PHONE[1:], "of maas", "more of it", edge.key.partition(".")[2]):
        assert secret not in text


async def test_never_changes_an_entry(edge: Any) -> None:
    await edge.ask("GET", INFO, key=None)
    await edge.trail(1)
    with pytest.raises(pg.RaisedByTrigger):
        await edge.live.context.db.run("UPDATE audit.requests SET status = 200")


async def test_forgets_after_180_days(edge: Any) -> None:
    for _ in range(3):
        await edge.ask("GET", INFO, key=None)
    young, old, _ = await edge.trail(3)
    db: pg.Database = edge.live.context.db
    age = """
        INSERT INTO audit.requests (id, at, route, method, status, duration_ms, request_id)
        SELECT gen_random_uuid(), now() - %(age)s, route, method, status, duration_ms, request_id
        FROM audit.requests WHERE id = %(id)s
    """
    await db.run(age, id=young["id"], age=datetime.timedelta(days=179, hours=23))
    await db.run(age, id=old["id"], age=datetime.timedelta(days=180, hours=1))
    async with db.transaction() as tx:
        await edge.live.context.queue.enqueue(tx, "maas_authproxy.audit.purge", task_id="1")
    assert await edge.live.run_task("maas_authproxy.audit.purge") == ["done"]
    assert await db.one(pg.value, "SELECT count(*) FROM audit.requests") == 4


async def test_serves_on_without_its_database_and_catches_up(own_postgres: servers.PgServer, start: Any) -> None:
    migrate.apply(own_postgres.dsn, app.SERVICE.streams, report=lambda _: None)
    async with start(own_postgres.dsn) as edge:
        edge.maas.on("POST", "/maas/v1/subscription/reserve", {"ok": True})
        await edge.ask("POST", RESERVE, {"pass_id": "before"})
        await edge.trail(1)
        own_postgres.stop()
        for number in range(20):
            assert (await edge.ask("POST", RESERVE, {"pass_id": f"without-{number}"})).status == 200
        assert (await edge.ask("GET", INFO, key=None)).status == 401
        await until(lambda: len(edge.live.context.trail) == 21)
        assert metrics.value("maas_authproxy_audit_waiting") == 21
        own_postgres.start()
        entries = await edge.trail(22)
        expected = ["before", *(f"without-{number}" for number in range(20)), None]
        assert [entry["pass_id"] for entry in entries] == expected
        assert len(edge.live.context.trail) == 0


async def test_writes_what_waits_when_it_stops(make_database: Callable[..., Any], start: Any) -> None:
    async with make_database(app.SERVICE.streams) as dsn:
        async with start(dsn) as edge:
            edge.maas.on("POST", "/maas/v1/subscription/reserve", {"ok": True})
            for number in range(10):
                await edge.ask("POST", RESERVE, {"pass_id": f"p-{number}"})
        db = await pg.Database.open(dsn, name="test", size=1)
        try:
            assert await db.one(pg.value, "SELECT count(DISTINCT pass_id) FROM audit.requests") == 10
        finally:
            await db.close()
