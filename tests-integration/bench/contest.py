"""Contenders take turns: each round measures each once, and what is compared is the median of the ratios by round."""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import uvloop

from bench import load, medians, pinned

_WARM_UP_S = 0.3
# A contender this near to what the load reaches against a responder that does nothing was held back by the load.
_NEAR_THE_CEILING = 0.7


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of one contender; `busy` is its share of its core."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    busy: float
    memory_mb: float


@dataclass(slots=True)
class Contender:
    """A running server, what it is asked, and its rounds so far."""

    name: str
    server: pinned.Server
    requests: Callable[[], Iterator[bytes]]
    status: int = 200
    rounds: list[Round] = field(default_factory=list)

    def play(self, connections: int, seconds: float) -> None:
        """One round more. WrongAnswer."""
        asking = load.Asking(self.server.port, self.requests(), self.status)
        uvloop.run(load.run(asking, connections, _WARM_UP_S))
        began, before = time.perf_counter(), self.server.cpu_s()
        tally = uvloop.run(load.run(asking, connections, seconds))
        cpu_s, took_s = self.server.cpu_s() - before, time.perf_counter() - began
        self.rounds.append(
            Round(
                per_s=tally.per_s,
                p50_ms=medians.percentile(tally.waits_s, 0.5) * 1000,
                p99_ms=medians.percentile(tally.waits_s, 0.99) * 1000,
                cpu_us=cpu_s / len(tally.waits_s) * 1e6,
                busy=cpu_s / took_s,
                memory_mb=self.server.memory_mb(),
            )
        )

    def middle(self, of: Callable[[Round], float]) -> float:
        """The median over its rounds."""
        return statistics.median(of(each) for each in self.rounds)

    def faster_than(self, other: "Contender") -> float:
        """By how much, in requests per second, round by round."""
        return medians.ratio((each.per_s for each in self.rounds), (each.per_s for each in other.rounds))

    def cheaper_than(self, other: "Contender") -> float:
        """By how much, in CPU per request, round by round."""
        return medians.ratio((each.cpu_us for each in other.rounds), (each.cpu_us for each in self.rounds))


@dataclass(frozen=True, slots=True)
class Bar:
    """What one contender is held to beside another."""

    name: str
    beside: str
    at_least: float


@dataclass(slots=True)
class Heat:
    """Contenders that are asked the same; the first is there twice, next to itself; each bar names two of them."""

    title: str
    contenders: list[Contender]
    bars: Sequence[Bar] = ()


def parser(description: str | None) -> argparse.ArgumentParser:
    """What every contest may be told on the command line."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=9, help="interleaved rounds (9)")
    made.add_argument("--seconds", type=float, default=1.5, help="seconds per contender and round (1.5)")
    made.add_argument("--connections", type=int, default=32, help="kept connections (32)")
    made.add_argument("--only", action="append", metavar="WORD", help="contenders with this in their name (repeatable)")
    return made


def chosen(contenders: list[Contender], only: Sequence[str] | None) -> list[Contender]:
    """Those asked for; the first, which all are compared with, and its double always."""
    first = contenders[0].name
    return [each for each in contenders if not only or each.name.startswith(first) or any(w in each.name for w in only)]


def show_progress(number: int, rounds: int) -> None:
    """One line on a terminal, which the next one covers; nothing elsewhere."""
    if sys.stdout.isatty():
        print(f"round {number + 1} of {rounds}", end="\r", flush=True)


def play(heats: Sequence[Heat], ceiling: Contender, asked: argparse.Namespace) -> None:
    """Plays all rounds, then prints a table for each heat; a contender that answers wrongly ends it."""
    for heat in heats:
        heat.contenders = chosen(heat.contenders, asked.only)
    for number in range(asked.rounds):
        show_progress(number, asked.rounds)
        for each in (ceiling, *(each for heat in heats for each in heat.contenders)):
            each.play(asked.connections, asked.seconds)
    for heat in heats:
        print("\n".join(table(heat, ceiling)))
    print(f"\nMedians of {asked.rounds} interleaved rounds, {asked.connections} connections; ratios round by round.")
    print("busy: share of the server's core; what is well below 100 waited, mostly for the database on the other core.")


def table(heat: Heat, ceiling: Contender) -> list[str]:
    """The lines to print of a heat that was played."""
    first, double = heat.contenders[:2]
    lines = [
        f"\n{heat.title}",
        f"{'':34}{'req/s':>9}{'p50 ms':>8}{'p99 ms':>8}{'CPU µs':>8}{'busy':>6}{'MB':>6}{'ratio':>8}",
    ]
    lines += [_row(each, first, ceiling) for each in (ceiling, *heat.contenders)]
    same = double.faster_than(first), double.cheaper_than(first)
    verdict = "a tie, as it must be" if medians.is_tie(same[0]) else "NOT a tie: too noisy to tell anything"
    lines.append(f"A/A ({first.name}): {same[0]:.2f} by requests, {same[1]:.2f} by CPU: {verdict}")
    lines += [
        _held(bar, heat) for bar in heat.bars if {bar.name, bar.beside} <= {each.name for each in heat.contenders}
    ]
    return lines


def _row(each: Contender, first: Contender, ceiling: Contender) -> str:
    figures = (
        f"{each.middle(lambda r: r.per_s):>9,.0f}{each.middle(lambda r: r.p50_ms):>8.2f}"
        f"{each.middle(lambda r: r.p99_ms):>8.2f}{each.middle(lambda r: r.cpu_us):>8.1f}"
        f"{each.middle(lambda r: r.busy):>6.0%}{each.middle(lambda r: r.memory_mb):>6.0f}"
    )
    if each is ceiling:
        return f"{each.name:34}{figures}{'':>8}"
    was_limit = each.faster_than(ceiling) > _NEAR_THE_CEILING
    note = "  the load was the limit" if was_limit else ""
    return f"{each.name:34}{figures}{each.faster_than(first):>8.2f}{note}"


def _held(bar: Bar, heat: Heat) -> str:
    named = {each.name: each for each in heat.contenders}
    mine, other = named[bar.name], named[bar.beside]
    found = mine.faster_than(other)
    verdict = "held" if found >= bar.at_least else "NOT held"
    by_cpu = mine.cheaper_than(other)
    return f"{bar.name} / {bar.beside}: {found:.2f} by requests, {by_cpu:.2f} by CPU; bar {bar.at_least:g}: {verdict}"
