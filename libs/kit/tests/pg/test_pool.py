"""Who gets a connection, when, and what happens to the dead ones."""

import asyncio
import random
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit import metrics, pg
from kit.pg import pool
from testkit import waiting

until = waiting.until


class Fake:
    """A connection without a server."""

    def __init__(self) -> None:
        self.is_dead = False
        self.is_dropped = False

    def is_usable(self) -> bool:
        return not self.is_dead

    def is_quiet(self) -> bool:
        return not self.is_dead

    def drop(self) -> None:
        self.is_dead = self.is_dropped = True


class Server:
    """Makes fakes, as slowly and as badly as told."""

    def __init__(self) -> None:
        self.made: list[Fake] = []
        self.attempts = 0
        self.is_down = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def connect(self) -> Any:
        self.attempts += 1
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.is_down:
            raise OSError("down")
        self.made.append(Fake())
        return self.made[-1]

    def pool(self, size: int, acquire_timeout_s: float = 1.0) -> pool.Pool:
        return pool.Pool(self.connect, name="fake", size=size, acquire_timeout_s=acquire_timeout_s)

    def alive(self) -> int:
        return sum(not fake.is_dead for fake in self.made)


async def test_serves_64_tasks_in_the_order_they_came() -> None:
    server = Server()
    tested = server.pool(4)
    order: list[int] = []

    async def take(number: int) -> None:
        for _ in range(3):
            held = await tested.acquire()
            order.append(number)
            await asyncio.sleep(0)
            tested.release(held)

    await asyncio.gather(*(take(number) for number in range(64)))
    assert order == list(range(64)) * 3
    assert len(server.made) == 4
    await tested.close()


async def test_lends_real_connections_in_order(open_database: Any) -> None:
    db = await open_database(size=4, acquire_timeout_s=10)
    order: list[int] = []

    async def ask(number: int) -> None:
        held = await db._pool.acquire()
        order.append(number)
        await held.execute("SELECT pg_sleep(0.002)")
        db._pool.release(held)

    await asyncio.gather(*(ask(number) for number in range(64)))
    assert order == list(range(64))


async def test_opens_no_more_than_needed(open_database: Any, backends: Any) -> None:
    db = await open_database(name="lazy", size=5)
    assert await backends("lazy") == 0
    for _ in range(3):
        await db.one(pg.value, "SELECT 1")
    assert await backends("lazy") == 1
    await asyncio.gather(*(db.one(pg.value, "SELECT pg_sleep(0.01)") for _ in range(20)))
    assert await backends("lazy") == 5


async def test_says_unavailable_when_nothing_comes_back_in_time() -> None:
    tested = Server().pool(1, acquire_timeout_s=0.05)
    held = await tested.acquire()
    began = time.monotonic()
    with pytest.raises(pg.Unavailable):
        await tested.acquire()
    assert 0.04 < time.monotonic() - began < 0.5
    tested.release(held)
    tested.release(await tested.acquire())
    await tested.close()


async def test_turns_away_at_once_beyond_the_limit_of_waiters() -> None:
    tested = Server().pool(1)
    held = await tested.acquire()
    waiters = [asyncio.ensure_future(tested.acquire()) for _ in range(pool.WAITERS_PER_CONNECTION)]
    await asyncio.sleep(0)
    began = time.monotonic()
    with pytest.raises(pg.Unavailable):
        await tested.acquire()
    assert time.monotonic() - began < 0.1
    for waiter in waiters:
        waiter.cancel()
    await asyncio.wait(waiters)
    tested.release(held)
    tested.release(await tested.acquire())
    await tested.close()


async def test_gives_the_place_of_a_dead_connection_to_the_waiter_at_once() -> None:
    """B2 and B4: a closed connection that comes back, or lies idle, delays nobody."""
    server = Server()
    tested = server.pool(1)
    first = await tested.acquire()
    waiting_one = asyncio.ensure_future(tested.acquire())
    await asyncio.sleep(0)
    first.is_dead = True  # type: ignore[attr-defined]
    tested.release(first)
    second = await asyncio.wait_for(waiting_one, 0.1)
    assert second is not first
    tested.release(second)
    second.is_dead = True  # type: ignore[attr-defined]
    third = await asyncio.wait_for(tested.acquire(), 0.1)
    assert third is not second
    tested.release(third)
    await tested.close()


async def test_connects_outside_of_everything() -> None:
    """B9: one slow connect does not delay those whom a returned connection can serve."""
    server = Server()
    tested = server.pool(2)
    first = await tested.acquire()
    server.gate.clear()
    waiters = [asyncio.ensure_future(tested.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    for waiter in waiters[:2]:
        tested.release(first)
        assert await asyncio.wait_for(waiter, 0.1) is first
    server.gate.set()
    second = await asyncio.wait_for(waiters[2], 0.1)
    assert second is not first
    tested.release(first)
    tested.release(second)
    await tested.close()


async def test_fails_fast_while_the_server_is_down_and_heals() -> None:
    server = Server()
    tested = server.pool(2)
    server.is_down = True
    outcomes = await asyncio.gather(*(tested.acquire() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, pg.Unavailable) for outcome in outcomes)
    attempts = server.attempts
    began = time.monotonic()
    with pytest.raises(pg.Unavailable):
        await tested.acquire()
    assert time.monotonic() - began < 0.03
    assert server.attempts == attempts

    server.is_down = False

    async def served() -> bool:
        try:
            tested.release(await tested.acquire())
        except pg.Unavailable:
            return False
        return True

    await until(served, timeout_s=2 * pool.PAUSE_S[1])
    await tested.close()


async def test_waits_for_what_is_held_while_connects_fail() -> None:
    server = Server()
    tested = server.pool(2)
    held = await tested.acquire()
    server.is_down = True
    waiting_one = asyncio.ensure_future(tested.acquire())
    await until(lambda: server.attempts >= 3)
    tested.release(held)
    assert await waiting_one is held
    tested.release(held)
    await tested.close()


async def test_leaks_nothing_when_waiters_are_cancelled_at_hand_over() -> None:
    tested = Server().pool(1)
    held = await tested.acquire()
    waiting_one = asyncio.ensure_future(tested.acquire())
    await asyncio.sleep(0)
    tested.release(held)
    waiting_one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting_one
    assert await asyncio.wait_for(tested.acquire(), 0.1) is held
    tested.release(held)
    await tested.close()


@pytest.mark.parametrize("is_returned", [True, False])
async def test_closes_in_bounded_time(is_returned: bool) -> None:
    """B3: closing waits for what is held, but not for ever."""
    server = Server()
    tested = server.pool(2, acquire_timeout_s=5)
    first, second = await tested.acquire(), await tested.acquire()
    waiting_one = asyncio.ensure_future(tested.acquire())
    tested.release(first)
    held = [await waiting_one, second]
    late = asyncio.ensure_future(tested.acquire())
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(tested.close(grace_s=0.1))
    with pytest.raises(pg.Unavailable):
        await late
    if is_returned:
        held[0].is_dead = True  # type: ignore[attr-defined]
        for each in held:
            tested.release(each)
    await asyncio.wait_for(closing, 1)
    assert server.alive() == 0
    with pytest.raises(pg.Unavailable):
        await tested.acquire()


async def test_closes_while_a_connect_hangs() -> None:
    server = Server()
    tested = server.pool(1)
    server.gate.clear()
    waiting_one = asyncio.ensure_future(tested.acquire())
    await asyncio.sleep(0)
    await asyncio.wait_for(tested.close(), 1)
    with pytest.raises(pg.Unavailable):
        await waiting_one


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), size=st.integers(1, 4), count=st.integers(1, 24))
def test_never_lends_twice_nor_loses_one(seed: int, size: int, count: int) -> None:
    """Whatever is cancelled, dies or cannot be opened: at most `size` alive, none held by two, none lost."""
    asyncio.run(_storm(random.Random(seed), size, count))


async def _storm(dice: random.Random, size: int, count: int) -> None:
    server = Server()
    tested = server.pool(size, acquire_timeout_s=0.02)
    holders: set[int] = set()

    async def use() -> None:
        held: Any = await tested.acquire()
        assert id(held) not in holders
        holders.add(id(held))
        assert server.alive() <= size
        try:
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)
            held.is_dead = held.is_dead or dice.random() < 0.2
        finally:
            holders.discard(id(held))
            tested.release(held)

    tasks = [asyncio.ensure_future(use()) for _ in range(count)]
    for _ in range(30):
        await asyncio.sleep(0)
        server.is_down = dice.random() < 0.1
        if dice.random() < 0.3:
            dice.choice(tasks).cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(o is None or isinstance(o, pg.Unavailable | asyncio.CancelledError) for o in outcomes)
    server.is_down = False
    tested._paused_until = 0.0
    all_of_them = await asyncio.gather(*(tested.acquire() for _ in range(size)))
    assert len(set(map(id, all_of_them))) == size == server.alive()
    for held in all_of_them:
        tested.release(held)
    await tested.close()
    assert server.alive() == 0


async def test_shows_itself_in_the_metrics(open_database: Any) -> None:
    db = await open_database(name="shown", size=2)
    started = asyncio.Event()

    async def hold() -> None:
        async with db.transaction() as tx:
            await tx.one(pg.value, "SELECT 1")
            started.set()
            await asyncio.Event().wait()

    holders = [asyncio.ensure_future(hold()) for _ in range(3)]
    await started.wait()
    await until(lambda: metrics.value("pg_pool_in_use", pool="shown") == 2)
    assert metrics.value("pg_pool_size", pool="shown") == 2
    assert metrics.value("pg_pool_waiting", pool="shown") == 1
    for holder in holders:
        holder.cancel()
    await asyncio.wait(holders)
    assert metrics.value("pg_pool_in_use", pool="shown") == 0
    assert metrics.value("pg_acquire_seconds_count", pool="shown") == 3
    assert metrics.value("pg_query_seconds_count", pool="shown") == 2
