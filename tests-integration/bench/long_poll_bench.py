"""Thousands of clients of music that wait for a change: what they cost, and how soon they are told.

Each waits for a player of its own, with one process of music on one core. Then passengers press buttons at a modest
rate: through the process that their clients wait at, and through another one, whose commits reach the first by
NOTIFY. A change is known at the latest when the command is answered, so the delay from sending the command is above
the delay from its commit, and the delay from its answer below it; both are shown.

    python tests-integration/bench/long_poll_bench.py --clients 5000 --rounds 9 --seconds 2
"""

import argparse
import asyncio
import random
import resource
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvloop

from bench import answers, contest, gateway, load, medians, pinned, stage, waiters

_WAIT_MS = 25_000
_FIRST_WAIT_MS = 3_000
_SETTLE_S = 2.0
_LATEST_S = 10.0
_MOST_MB = 100
_MOST_P99_MS = 50.0


@dataclass(slots=True)
class Delays:
    """Milliseconds to the waiting client, of all rounds; each round's median from the sending; how many got 503."""

    name: str
    from_sending: list[float] = field(default_factory=list)
    from_answer: list[float] = field(default_factory=list)
    middles: list[float] = field(default_factory=list)
    refused: int = 0


class Polls:
    """The polls of one client: the first wait ends at a time of its own, as clients do who came one after another."""

    def __init__(self, sender: gateway.Gateway, ride: gateway.Ride) -> None:
        self._gateway = sender
        self._ride = ride
        self._wait_ms = random.Random(ride.number).randint(_FIRST_WAIT_MS, _WAIT_MS)

    def __call__(self, etag: str | None) -> bytes:
        """One that waits, if there is a version to wait with."""
        if etag is None:
            return self._gateway.poll(self._ride)
        wait_ms, self._wait_ms = self._wait_ms, _WAIT_MS
        return self._gateway.poll(self._ride, etag, wait_ms)


class Passengers:
    """Press buttons, each player at most once in a while, and take the time until its client hears of it."""

    def __init__(self, where: stage.Stage, rides: Sequence[gateway.Ride], crowd: waiters.Crowd) -> None:
        self._gateway = where.gateway
        self._rides = rides
        self._crowd = crowd
        # A fixed order, so that each round's players were left alone for as long as there are others.
        self._order = random.Random(1).sample(range(len(rides)), len(rides))
        self._next = 0

    async def press(self, port: int, rate: float, seconds: float, delays: Delays) -> None:
        """So many buttons a second through the process at `port`. WrongAnswer, TimeoutError."""
        loop = asyncio.get_running_loop()
        began, before = loop.time(), len(delays.from_sending)
        pressed = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
            pressed.append(loop.create_task(self._press(port, self._order[self._next % len(self._order)], delays)))
            self._next += 1
        await asyncio.gather(*pressed)
        delays.middles.append(medians.percentile(delays.from_sending[before:], 0.5))

    async def _press(self, port: int, player: int, delays: Delays) -> None:
        heard = self._crowd.heard.changed_at
        request = self._gateway.command(self._rides[player], str(uuid.uuid4()))
        sent_at = time.perf_counter()
        answer = await load.ask(port, request)
        answered_at = time.perf_counter()
        if answers.status_of(answer) == 503:
            delays.refused += 1
            return
        if answers.status_of(answer) != 200:
            raise load.WrongAnswer(answer[:500].decode(errors="replace"))
        async with asyncio.timeout(_LATEST_S):
            while heard[player] < sent_at:
                self._crowd.check()
                await asyncio.sleep(0.002)  # the time taken is that of the answer's arrival
        delays.from_sending.append((heard[player] - sent_at) * 1000)
        delays.from_answer.append((heard[player] - answered_at) * 1000)


async def cost(crowd: waiters.Crowd, music: pinned.Server, clients: int, quiet_s: float) -> list[str]:
    """The lines about memory and CPU, with the crowd left waiting."""
    before = music.memory_mb()
    await crowd.come(music.port)
    connected = music.memory_mb()
    cpu_before = music.cpu_s()
    await crowd.wait()
    await asyncio.sleep(_SETTLE_S)
    arming_s = music.cpu_s() - cpu_before
    waiting = music.memory_mb()
    quiet_from, cpu_before, unchanged = time.perf_counter(), music.cpu_s(), crowd.heard.unchanged
    await asyncio.sleep(quiet_s)
    quiet = (music.cpu_s() - cpu_before) / (time.perf_counter() - quiet_from)
    crowd.check()
    ended = crowd.heard.unchanged - unchanged
    verdict = "held" if waiting - before < _MOST_MB else "NOT held"
    return [
        f"memory before they came            {before:8.1f} MB",
        f"more when they had connected       {connected - before:8.1f} MB",
        f"more when all of them waited       {waiting - before:8.1f} MB  (bar < {_MOST_MB} for 5,000: {verdict})",
        f"per waiting client                 {(waiting - before) / clients * 1024:8.1f} KB",
        f"CPU to begin to wait, per client   {arming_s / clients * 1e6:8.1f} µs",
        f"CPU while they wait                {quiet:8.2%} of a core over {quiet_s:.0f} s, in which {ended} asked again",
    ]


def table(found: Sequence[Delays]) -> list[str]:
    """The lines about delays; the first is there twice."""
    lines = [f"{'changed through, ms':34}{'p50':>8}{'p99':>8}{'p50 from':>10}{'p99 from':>10}{'changes':>9}{'503':>5}"]
    lines.append(f"{'':34}{'from sending':>16}{'the answer':>20}")
    for each in found:
        shown = [
            medians.percentile(values, share)
            for values in (each.from_sending, each.from_answer)
            for share in (0.5, 0.99)
        ]
        lines.append(
            f"{each.name:34}{shown[0]:>8.1f}{shown[1]:>8.1f}{shown[2]:>10.1f}{shown[3]:>10.1f}"
            f"{len(each.from_sending):>9}{each.refused:>5}"
        )
    same = medians.ratio(found[1].middles, found[0].middles)
    verdict = "a tie, as it must be" if medians.is_tie(same) else "NOT a tie: too noisy to tell anything"
    lines.append(f"A/A ({found[0].name}): {same:.2f}: {verdict}")
    most = max(medians.percentile(each.from_sending, 0.99) for each in found)
    least = max(medians.percentile(each.from_answer, 0.99) for each in found)
    verdict = (
        "held" if most <= _MOST_P99_MS else "NOT held" if least > _MOST_P99_MS else "held or not, too noisy to tell"
    )
    lines.append(
        f"p99 from the commit between {least:.1f} and {most:.1f} ms; bar at most {_MOST_P99_MS:.0f}: {verdict}"
    )
    return lines


async def play(where: stage.Stage, rides: Sequence[gateway.Ride], asked: argparse.Namespace) -> None:
    """Comes, waits, presses, prints."""
    music, other = where.music(), where.music(aside=True)
    crowd = waiters.Crowd([Polls(where.gateway, ride) for ride in rides])
    print("\n".join(await cost(crowd, music, len(rides), asked.quiet)), flush=True)
    found = [Delays("the same process"), Delays("the same process, again"), Delays("another process")]
    passengers = Passengers(where, rides, crowd)
    for number in range(asked.rounds):
        contest.show_progress(number, asked.rounds)
        for delays, server in zip(found, (music, music, other), strict=True):
            await passengers.press(server.port, asked.rate, asked.seconds, delays)
    crowd.check()
    print("\n".join(table(found)))
    print(f"{asked.rate:g} changes per second in {asked.rounds} interleaved rounds, {len(rides)} clients")
    crowd.leave()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=5000, help="waiting clients, each with a player (5,000)")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (9)")
    parser.add_argument("--seconds", type=float, default=2, help="seconds of changes per way and round (2)")
    parser.add_argument("--rate", type=float, default=50, help="changes per second (50)")
    parser.add_argument("--quiet", type=float, default=10, help="seconds of waiting alone, for the CPU (10)")
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for us and what we start
    with stage.Stage(pinned.Cores.divided()) as where:
        # By a process that is not measured: opening leaves memory behind.
        rides = where.open_players(where.music(aside=True), asked.clients)
        uvloop.run(play(where, rides, asked))


if __name__ == "__main__":
    main()
