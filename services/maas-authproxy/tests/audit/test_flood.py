"""A flood while the database is away: requests go on, the room has an end, and what finds none is counted."""

import asyncio
from typing import Any

from kit import clock, migrate
from maas_authproxy import app
from maas_authproxy.audit import actions, model
from testkit import servers
from testkit.measuring import Difference
from testkit.waiting import until

INFO = "/maas-authproxy/v1/subscription/info?pass_id=asked"
FREE, FLOOD = 20, 60


def _entry(number: int) -> model.Entry:
    return model.Entry(
        at=clock.now(),
        partner="vtb",
        key_id=None,
        route="/",
        method="GET",
        status=200,
        duration_ms=1,
        request_id="r",
        pass_id=f"before-{number}",
        maas_user_id=None,
    )


async def test_goes_on_without_room_and_counts_what_is_lost(own_postgres: servers.PgServer, start: Any) -> None:
    migrate.apply(own_postgres.dsn, app.SERVICE.streams, report=lambda _: None)
    async with start(own_postgres.dsn) as edge:
        edge.maas.on("*", "/{rest}", answer={"ok": True})
        edge.partners.set(MAAS_AUTHPROXY_FAILURES={"per_second": 0.001, "burst": 30})
        await edge.reload()
        trail = edge.live.context.trail
        await asyncio.to_thread(own_postgres.stop)
        for number in range(actions.CAPACITY - FREE):
            trail.note(_entry(number))
        full = Difference("maas_authproxy_audit_dropped_total", reason="full")
        strangers = Difference("maas_authproxy_audit_dropped_total", reason="stranger")
        for _ in range(FLOOD):
            assert (await edge.ask("GET", INFO, key="unknown.key")).status in (401, 429)
            assert (await edge.ask("GET", INFO)).status == 200
        # A batch may be on its way to the database that is not there; it has come back when the trail is full.
        await until(lambda: len(trail) == actions.CAPACITY)
        assert (full.value, strangers.value) == (FLOOD - FREE, 30)
        await asyncio.to_thread(own_postgres.start)
        await until(lambda: len(trail) == 0, timeout_s=15)
        entries = await edge.trail(actions.CAPACITY)
    assert len(entries) == actions.CAPACITY
    assert sum(entry["pass_id"] == "asked" for entry in entries) == FLOOD
    assert f"before-{FLOOD - FREE}" in {entry["pass_id"] for entry in entries}
    assert "before-0" not in {entry["pass_id"] for entry in entries}
