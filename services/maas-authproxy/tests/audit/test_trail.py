"""The buffer and its writer, with a database that is a list."""

import asyncio
from collections.abc import Sequence

from kit import clock, metrics, pg
from maas_authproxy.audit import actions, model
from testkit.waiting import until


class Table:
    """Takes batches, or refuses them while `is_down`, and the first `refusals` anyway."""

    def __init__(self) -> None:
        self.rows: list[model.Entry] = []
        self.batches: list[int] = []
        self.refused = 0
        self.is_down = False
        self.refusals = 0

    async def write(self, entries: Sequence[model.Entry]) -> None:
        if self.is_down or self.refused < self.refusals:
            self.refused += 1
            raise pg.Unavailable
        self.batches.append(len(entries))
        self.rows += entries

    def names(self) -> list[str | None]:
        return [row.pass_id for row in self.rows]


def _entry(name: str, partner: str | None = "vtb") -> model.Entry:
    return model.Entry(
        at=clock.now(),
        partner=partner,
        key_id=None,
        route="/",
        method="GET",
        status=200,
        duration_ms=1,
        request_id="r",
        pass_id=name,
        maas_user_id=None,
    )


def _dropped(reason: str) -> float:
    return metrics.value("maas_authproxy_audit_dropped_total", reason=reason)


async def test_writes_in_order_and_in_batches() -> None:
    table = Table()
    names = [f"{n}" for n in range(actions.BATCH * 2 + 7)]
    async with actions.Trail(table.write) as requests:
        for name in names:
            requests.note(_entry(name))
        await until(lambda: len(table.rows) == len(names))
    assert table.names() == names
    assert len(table.batches) == 3


async def test_keeps_the_order_over_a_refusal() -> None:
    table = Table()
    table.refusals = 1
    async with actions.Trail(table.write) as requests:
        for n in range(20):
            requests.note(_entry(f"{n}"))
        await until(lambda: len(table.rows) == 20)
    assert table.names() == [f"{n}" for n in range(20)]
    assert table.refused == 1


async def test_holds_no_more_than_its_capacity_and_counts_what_it_drops() -> None:
    table = Table()
    table.is_down = True
    before = _dropped("full")
    async with actions.Trail(table.write, capacity=100) as requests:
        for n in range(250):
            requests.note(_entry(f"{n}"))
            assert len(requests) <= 100
        await until(lambda: table.refused >= 2)
        assert len(requests) == 100
        assert _dropped("full") == before + 150
        table.is_down = False
        await until(lambda: len(table.rows) == 100)
    assert table.names() == [f"{n}" for n in range(150, 250)]


async def test_holds_its_capacity_while_a_batch_is_on_its_way() -> None:
    gate, table = asyncio.Event(), Table()

    async def slow(entries: Sequence[model.Entry]) -> None:
        await gate.wait()
        await table.write(entries)

    before = _dropped("full")
    async with actions.Trail(slow, capacity=10) as requests:
        for n in range(10):
            requests.note(_entry(f"first {n}"))
        await until(lambda: len(requests) == 0)
        for n in range(10):
            requests.note(_entry(f"second {n}"))
        table.is_down = True
        gate.set()
        await until(lambda: table.refused >= 1)
        assert len(requests) == 10
        table.is_down = False
        await until(lambda: len(table.rows) == 10)
    assert table.names() == [f"second {n}" for n in range(10)]
    assert _dropped("full") == before + 10


async def test_strangers_push_no_partner_out() -> None:
    table = Table()
    table.is_down = True
    before = _dropped("stranger")
    async with actions.Trail(table.write, capacity=100) as requests:
        requests.note(_entry("partner 0"))
        for n in range(200):
            requests.note(_entry(f"stranger {n}", partner=None))
        for n in range(1, 50):
            requests.note(_entry(f"partner {n}"))
        assert _dropped("stranger") == before + 151
        table.is_down = False
        await until(lambda: len(table.rows) == 99)
    assert sum(row.partner is not None for row in table.rows) == 50


async def test_writes_the_rest_when_it_ends() -> None:
    table = Table()
    async with actions.Trail(table.write) as requests:
        for n in range(actions.BATCH + 1):
            requests.note(_entry(f"{n}"))
    assert len(table.rows) == actions.BATCH + 1


async def test_ends_in_time_and_counts_what_is_lost() -> None:
    table = Table()
    table.is_down = True
    before = _dropped("shutdown")
    async with asyncio.timeout(5), actions.Trail(table.write, flush_s=0.2) as requests:
        for n in range(7):
            requests.note(_entry(f"{n}"))
    assert table.rows == []
    assert _dropped("shutdown") == before + 7


async def test_counts_what_hangs_at_the_end_as_lost() -> None:
    async def hang(entries: Sequence[model.Entry]) -> None:
        await asyncio.Event().wait()

    before = _dropped("shutdown")
    async with actions.Trail(hang, flush_s=0.2) as requests:
        requests.note(_entry("1"))
        await until(lambda: len(requests) == 0)
    assert _dropped("shutdown") == before + 1


async def test_ends_at_once_when_nothing_came() -> None:
    table = Table()
    async with asyncio.timeout(1), actions.Trail(table.write):
        pass
    assert table.batches == []
