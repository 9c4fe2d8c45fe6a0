"""What the world owes to our services is told again and again, until they have answered."""

import asyncio
from collections.abc import Awaitable, Callable

from kit import logs
from sandbox import world
from sandbox.bank import metro_rides, sales
from sandbox.music import events
from sandbox.neighbours import processing

DEBTORS = (processing.pay_debts, sales.pay_debts, metro_rides.pay_debts, events.pay_debts)


async def keep_paying(here: world.World, every_s: float) -> None:
    """Lets every debtor pay, each at its own pace, until it is cancelled."""
    async with asyncio.TaskGroup() as together:
        for pay in DEBTORS:
            together.create_task(_keep_paying(here, pay, every_s))


async def _keep_paying(here: world.World, pay: Callable[[world.World], Awaitable[None]], every_s: float) -> None:
    while True:
        try:
            await pay(here)
        except Exception as failure:
            logs.exception("debts_not_paid", exc=failure)
        await asyncio.sleep(every_s)
