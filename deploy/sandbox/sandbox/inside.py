"""A call from one part of the world to another inside this process: noted and faulted as one on the wire would be."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox import callers, journal, wire, world


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom, and what; `refusal` is what the fault `refuse` makes of it."""

    neighbour: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    refusal: tuple[int, str]


async def ask(here: world.World, asked: Asked, work: Callable[[], Awaitable[callers.Reply]]) -> callers.Reply:
    """What `work` answers, unless a fault was ordered for the neighbour; NoAnswer when nothing usable comes back."""
    entry = here.journal.begin(asked.neighbour, asked.method, asked.path, dict(asked.query), journal.masked(asked.body))
    fault = here.faults.strike(asked.neighbour)
    mode = None if fault is None else fault.mode
    if fault is not None:
        entry.fault = mode
        here.journal.count("faults", asked.neighbour)
        if mode == "slow":
            await asyncio.sleep(fault.delay_ms / 1000)
    if mode == "down":
        raise callers.NoAnswer(asked.neighbour, 503)
    instead = {"error": (500, "internal_error"), "too_many": (429, "too_many_requests"), "refuse": asked.refusal}
    if mode in instead:
        entry.status, code = instead[mode]
        return callers.Reply(entry.status, {"code": code})
    reply = await _worked(work)
    entry.status = reply.status
    if mode in ("garbage", "truncated"):
        raise callers.NoAnswer(asked.neighbour, 502)
    return reply


async def _worked(work: Callable[[], Awaitable[callers.Reply]]) -> callers.Reply:
    try:
        return await work()
    except wire.Refused as refusal:
        return callers.Reply(refusal.status, {"code": refusal.code})
