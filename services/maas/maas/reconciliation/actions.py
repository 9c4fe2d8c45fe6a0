"""Comparing statuses with the bank's, and reporting what differs."""

import asyncio
import datetime
from collections.abc import Iterable, Mapping, Sequence

from clients import vtb as vtb_client
from kit import http_client, logs, pg, stq
from maas.reconciliation import model, queries

TASK = "maas.reconciliation.compare"
_PAGE = 100
_SHOWN = 10_000

logs.allow("day", "compared", "differences")


async def compare(
    *, db: pg.Database, vtb: vtb_client.Vtb, limits: Mapping[str, int], keep_days: int
) -> model.Comparison | None:
    """Compares every live or lately ended subscription with the bank; None when that was done today.

    Goes on where the last attempt stopped. NeighbourUnavailable when the bank is not there: nothing is lost, the next
    attempt goes on.
    """
    comparison = await queries.find_open(db) or await _begun(db, limits, keep_days)
    if comparison is None:
        return None
    bank = _Bank(vtb, limits["parallel"])
    after = comparison.last_pass_id
    while page := await queries.list_page(db, after=after, ended_days=limits["ended_days"], limit=_PAGE):
        found = await bank.differences(page)
        if not await _kept(db, comparison.day, after, page, found):
            return None
        after = page[-1].pass_id
    await _look_again(db, bank, comparison.day)
    if not await queries.mark_finished(db, comparison.day, after=after):
        return None
    return await _told(db, comparison.day)


async def _begun(db: pg.Database, limits: Mapping[str, int], keep_days: int) -> model.Comparison | None:
    await queries.delete_old(db, days=keep_days)
    return await queries.insert(db, ended_days=limits["ended_days"])


async def _kept(
    db: pg.Database, day: datetime.date, after: str, page: Sequence[model.Known], found: Sequence[model.Difference]
) -> bool:
    """False when another comparison of the day has moved on meanwhile."""
    async with db.transaction() as tx:
        moved = await queries.mark_compared(tx, day, after=after, upto=page[-1].pass_id, count=len(page))
        if moved and found:
            await queries.insert_differences(tx, day, found)
    return bool(moved)


async def _look_again(db: pg.Database, bank: "_Bank", day: datetime.date) -> None:
    after = ""
    while page := await queries.list_differing(db, day, after=after, limit=_PAGE):
        still = await bank.differences(page)
        gone = {known.pass_id for known in page} - {each.pass_id for each in still}
        async with db.transaction() as tx:
            await queries.delete_differences(tx, day, sorted(gone))
            await queries.insert_differences(tx, day, still)
        after = page[-1].pass_id


async def _told(db: pg.Database, day: datetime.date) -> model.Comparison:
    report = await get_report(db=db, day=day)
    count = sum(report.totals.values())
    say = logs.warning if count else logs.info
    say("statuses_compared", day=str(day), compared=report.comparison.compared, differences=count)
    return report.comparison


class _Bank:
    """The bank, asked about a few subscriptions at once."""

    def __init__(self, vtb: vtb_client.Vtb, parallel: int) -> None:
        self._vtb = vtb
        self._asking = asyncio.Semaphore(parallel)

    async def differences(self, page: Iterable[model.Known]) -> list[model.Difference]:
        """What differs of these; NeighbourUnavailable when the bank is not there."""
        known = list(page)
        answers = await asyncio.gather(*(self._status(each.pass_id) for each in known))
        for answer in answers:
            if isinstance(answer, http_client.NeighbourUnavailable):
                raise answer
        found = (model.difference(each, answer) for each, answer in zip(known, answers, strict=True))
        return [each for each in found if each is not None]

    async def _status(self, pass_id: str) -> str | http_client.Failure | None:
        async with self._asking:
            try:
                return await self._vtb.find_subscription_status(pass_id)
            except http_client.Failure as failure:
                return failure


async def order(*, db: pg.Database, queue: stq.Queue, limits: Mapping[str, int]) -> None:
    """Has today's comparison made now: anew when it is finished, and one under way goes on."""
    async with db.transaction() as tx:
        if await queries.find_open(tx) is None:
            await queries.delete_today(tx)
            await queries.insert(tx, ended_days=limits["ended_days"])
        await queue.enqueue(tx, TASK, task_id="by-hand", again=True)


async def get_report(*, db: pg.Executor, day: datetime.date | None) -> model.Report:
    """What the comparison of `day` found, of the last day when there is none; ComparisonNotFound."""
    comparison = await queries.find_of_day(db, day)
    if comparison is None:
        raise model.ComparisonNotFound
    totals = await queries.count_differences(db, comparison.day)
    return model.Report(comparison, totals, await queries.list_differences(db, comparison.day, limit=_SHOWN))
