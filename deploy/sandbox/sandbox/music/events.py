"""What processing tells music of an order, numbered: as often as it takes; on request twice, late or out of turn."""

import datetime
from typing import Any

from kit import clock
from sandbox import callers, world
from sandbox.music import records

CALLER = "processing"


async def happened(
    here: world.World, order: records.PlainOrder, verb: str, told: dict[str, Any], *, is_last: bool = False
) -> records.Event:
    """Writes an event down and tells it, when it is its time; the caller holds the order's lock."""
    order.events += 1
    habits = here.switches.events
    due = clock.now() + datetime.timedelta(milliseconds=habits.late_ms)
    event = records.Event(
        order_id=order.order_id,
        event_seq=order.events,
        verb=verb,
        body={"order_id": order.order_id, "event_seq": order.events, **told},
        due_at=clock.to_wire(due),
        waits_for_next=habits.is_swapped and not is_last and order.events % 2 == 1,
        left=2 if habits.is_twice else 1,
    )
    here.store.state.events[_key(event)] = event
    here.store.save()
    await _tell_all(here, order.order_id)
    return event


async def pay_debts(here: world.World) -> None:
    """Tells what is due and was not answered."""
    owing = {event.order_id: None for event in here.store.state.events.values() if event.left}
    for order_id in owing:
        lock = here.lock_of(order_id)
        if not lock.locked():
            async with lock:
                await _tell_all(here, order_id)


def of_order(here: world.World, order_id: str) -> list[records.Event]:
    """The events of an order, as they happened."""
    return [event for event in here.store.state.events.values() if event.order_id == order_id]


async def _tell_all(here: world.World, order_id: str) -> None:
    events = of_order(here, order_id)
    # One that lets the next go first comes after it.
    for event in sorted(events, key=lambda one: one.event_seq + (1.5 if one.waits_for_next else 0)):
        while event.left and _is_due(here, event):
            if not await _tell(here, event):
                return


def _is_due(here: world.World, event: records.Event) -> bool:
    if clock.to_wire(clock.now()) < event.due_at:
        return False
    later = here.store.state.events.get(f"{event.order_id}/{event.event_seq + 1}")
    return not event.waits_for_next or (later is not None and not later.left)


async def _tell(here: world.World, event: records.Event) -> bool:
    """False when music gave no answer; a refusal is one, for telling it again would not help."""
    try:
        reply = await here.services.post(CALLER, "music", f"/internal/music/v1/player/{event.verb}", event.body)
    except callers.NoAnswer:
        return False
    event.left -= 1
    event.answer = event.answer or {"status": reply.status, **reply.payload}
    here.store.save()
    return True


def _key(event: records.Event) -> str:
    return f"{event.order_id}/{event.event_seq}"
