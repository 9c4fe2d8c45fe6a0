"""Two processes of music behind a balancer: whichever is asked, the passenger's screen is right and never goes back."""

import asyncio
import contextlib
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from journeys.ride_on_the_wire import MUSIC, Answer, Ride
from kit import pg
from local_stack import Stack
from testkit.servers import containers
from testkit.waiting import until

_TURNS = 60
_LISTENING = "SELECT pid FROM pg_stat_activity WHERE datname = 'music' AND application_name = 'caches:listen'"


@pytest.fixture(scope="module")
def second(own_stack: Stack) -> Iterator[str]:
    """Another process of music, as long as these tests last; its name."""
    with own_stack.replica(MUSIC) as name:
        yield name


@pytest.fixture
async def ride(own_stack: Stack, second: str) -> AsyncIterator[Ride]:
    """A ride with music."""
    async with Ride.begun(own_stack.description) as found:
        yield found


@pytest.fixture
async def server(own_stack: Stack) -> AsyncIterator[pg.Database]:
    """A superuser's way into the server, through another database than that of music."""
    found = await pg.Database.open(own_stack.description["databases"]["maas"], name="two", size=1)
    yield found
    await found.close()


async def test_has_two_processes_on_one_database(own_stack: Stack, second: str, server: pg.Database) -> None:
    assert own_stack.pid(second) != own_stack.pid(MUSIC)
    assert own_stack.description["services"][second] != own_stack.description["services"][MUSIC]
    await until(lambda: _listeners(server, 2), timeout_s=10)


async def test_shows_what_the_other_process_was_told(ride: Ride, second: str) -> None:
    for teller, shower in ((MUSIC, second), (second, MUSIC)):
        made = await ride.reported(teller, title=f"told to {teller}")
        await _arrives(ride, shower, made.body["version"])
        assert (await ride.polled(shower)).body["track"]["title"] == f"told to {teller}"


async def test_never_goes_back_for_a_client_that_is_sent_to_either(ride: Ride, second: str) -> None:
    writing = asyncio.create_task(_changes(ride, second))
    known, turn, seen = 0, 0, set[int]()
    while not writing.done():
        turn += 1
        answer = await ride.polled((MUSIC, second)[turn % 2], version=known or None)
        if answer.status != 304:
            assert answer.status == 200
            assert answer.body["version"] == answer.etag
            assert answer.body["version"] > known
            known = answer.body["version"]
            seen.add(known)
        await asyncio.sleep(0)
    last = await writing
    assert len(seen) > _TURNS / 4
    for process in (MUSIC, second):
        await _arrives(ride, process, last)


async def test_never_goes_back_within_a_process_for_a_client_that_names_no_version(ride: Ride, second: str) -> None:
    writing = asyncio.create_task(_changes(ride, second))
    known = dict.fromkeys((MUSIC, second), 0)
    while not writing.done():
        for process in known:
            answer = await ride.polled(process)
            assert answer.status == 200
            assert answer.body["version"] >= known[process]
            known[process] = answer.body["version"]
    last = await writing
    for process in known:
        await _arrives(ride, process, last)


async def test_wakes_a_waiting_poll_when_the_other_process_takes_a_command(ride: Ride, second: str) -> None:
    version = (await ride.reported(title="first")).body["version"]
    waits = []
    for turn in range(7):
        waiter, taker = (MUSIC, second) if turn % 2 else (second, MUSIC)
        waiting = asyncio.create_task(ride.polled(waiter, version=version, wait_ms=10_000))
        await _is_held(waiting)
        began = time.monotonic()
        command = await ride.asked_for("pause", taker)
        shown = await waiting
        waits.append(time.monotonic() - began)
        assert shown.status == 200
        assert shown.body["version"] == command.body["version"]
        version = shown.body["version"]
        assert shown.body["pending"]["command_id"] == command.body["command_id"]
    # It is told, and does not look from time to time.
    assert statistics.median(waits) < 0.25


async def test_wakes_a_waiting_taximeter_when_the_other_process_takes_a_command(ride: Ride, second: str) -> None:
    await ride.reported(title="first")
    waiting = asyncio.create_task(ride.pulled(second, after_seq=0, wait_ms=10_000))
    await _is_held(waiting)
    began = time.monotonic()
    command = await ride.asked_for("next", MUSIC)
    pulled = await waiting
    assert time.monotonic() - began < 1.0
    assert [each["command_id"] for each in pulled.body["commands"]] == [command.body["command_id"]]


async def test_keeps_the_screen_right_while_its_listening_connections_are_killed(
    ride: Ride, second: str, server: pg.Database
) -> None:
    known = 0
    for turn in range(12):
        here, there = (MUSIC, second) if turn % 2 else (second, MUSIC)
        waiting = asyncio.create_task(ride.polled(there, version=known or None, wait_ms=10_000 if known else None))
        assert await _deafened(server) > 0 or turn
        made = await ride.reported(here, title=f"song {turn}")
        began = time.monotonic()
        first = await waiting
        # It may have been answered by what was there before it; what it missed it gets when it asks again.
        known = first.body["version"] if first.status == 200 else known
        if known < made.body["version"]:
            again = await ride.polled(there, version=known, wait_ms=10_000)
            known = again.body["version"]
        assert known == made.body["version"]
        assert time.monotonic() - began < 2.5
    await until(lambda: _listeners(server, 2), timeout_s=10)


async def test_finds_every_change_by_asking_while_it_can_not_listen(
    ride: Ride, second: str, server: pg.Database
) -> None:
    async with _kept_deaf(server):
        for turn in range(8):
            here, there = (MUSIC, second) if turn % 2 else (second, MUSIC)
            made = await ride.reported(here, title=f"song {turn}")
            await _arrives(ride, there, made.body["version"])


@pytest.mark.skipif(containers.is_available(), reason="the server's processes are in a container")
async def test_believes_a_client_that_knows_more_than_its_memory(ride: Ride, second: str, server: pg.Database) -> None:
    for process in (MUSIC, second):
        await ride.polled(process)
    async with _hushed(server):
        for turn in range(6):
            here, there = (MUSIC, second) if turn % 2 else (second, MUSIC)
            made = await ride.reported(here, title=f"song {turn}")
            seen = await ride.polled(there, version=made.body["version"])
            assert seen.status == 304
            assert seen.etag == made.body["version"]


async def test_says_everywhere_that_a_player_is_closed(ride: Ride, second: str) -> None:
    waiting = asyncio.create_task(_closed_screen(ride, MUSIC))
    assert (await ride.told("close", second, event_seq=2, reason="finished")).status == 200
    assert (await waiting).body["details"] == {"reason": "closed"}
    await until(lambda: _is_closed(ride, second), timeout_s=2)


async def _closed_screen(ride: Ride, process: str) -> Answer:
    version = (await ride.polled(process)).body["version"]
    return await ride.polled(process, version=version, wait_ms=10_000)


async def _changes(ride: Ride, second: str) -> int:
    """Reports and commands through either process; the last version."""
    version = 0
    for turn in range(_TURNS):
        process = (MUSIC, second)[turn % 3 % 2]
        answer = await ride.reported(process, title=f"song {turn}")
        if turn % 15 == 0:
            answer = await ride.asked_for("pause", (second, MUSIC)[turn % 2])
        version = max(version, answer.body["version"])
    return version


async def _arrives(ride: Ride, process: str, version: int) -> None:
    """Waits until this process shows this version to who names none."""

    async def is_there() -> bool:
        answer = await ride.polled(process)
        return answer.status == 200 and bool(answer.body["version"] == version)

    await until(is_there, timeout_s=1.5)


async def _is_closed(ride: Ride, process: str) -> bool:
    answer = await ride.polled(process)
    return answer.status == 406 and bool(answer.body["details"]["reason"] == "closed")


async def _is_held(waiting: "asyncio.Task[Answer]") -> None:
    """The request has been there for a while and is not answered."""
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done


async def _listeners(server: pg.Database, wanted: int) -> bool:
    return len(await server.all(pg.value, _LISTENING)) == wanted


async def _deafened(server: pg.Database) -> int:
    """How many listening connections were just killed."""
    killed = f"SELECT count(pg_terminate_backend(pid)) FROM ({_LISTENING}) AS listening"
    return int((await server.all(pg.value, killed))[0])


@contextlib.asynccontextmanager
async def _kept_deaf(server: pg.Database) -> AsyncIterator[None]:
    """While inside, nobody can connect to the database anew: both processes have their pools and can not listen."""
    await server.run("ALTER DATABASE music ALLOW_CONNECTIONS false")
    try:
        await _deafened(server)
        await until(lambda: _listeners(server, 0), timeout_s=5)
        yield
    finally:
        await server.run("ALTER DATABASE music ALLOW_CONNECTIONS true")
    await until(lambda: _listeners(server, 2), timeout_s=10)


@contextlib.asynccontextmanager
async def _hushed(server: pg.Database) -> AsyncIterator[None]:
    """While inside, both processes listen and hear nothing, which they can't know for a few seconds."""
    listening = await server.all(pg.value, _LISTENING)
    assert len(listening) == 2
    for pid in listening:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in listening:
            os.kill(pid, signal.SIGCONT)
