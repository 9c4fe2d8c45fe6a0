"""`report`: how our statuses differ from the bank's, for an operator.

Exit status: 0 shown or ordered, 1 nothing was compared on this day, 2 a wrong command line.
"""

import argparse
import datetime
import sys
from collections.abc import Sequence

import orjson

from kit import process
from maas import config
from maas.context import Context
from maas.reconciliation import actions, model

_COLUMNS = ("pass_id", "kind", "ours", "theirs", "seen_at")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="a day in UTC; the last one compared if absent")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--run", action="store_true", help="has today's comparison made now; a worker makes it")


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no day like 2026-01-31") from None


async def _run(ctx: Context, arguments: argparse.Namespace) -> int:
    if arguments.run:
        await actions.order(db=ctx.db, queue=ctx.queue, limits=ctx.dynamic.get(config.RECONCILIATION))
    report = await actions.get_report(db=ctx.db, day=None if arguments.run else arguments.day)
    lines = [_as_json(report)] if arguments.json else _as_text(report)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _as_json(report: model.Report) -> str:
    comparison = report.comparison
    told = {
        "day": comparison.day,
        "state": comparison.state,
        "started_at": comparison.started_at,
        "finished_at": comparison.finished_at,
        "planned": comparison.planned,
        "compared": comparison.compared,
        "totals": {kind.value: report.totals.get(kind, 0) for kind in model.Kind},
        "differences": [{name: getattr(each, name) for name in _COLUMNS} for each in report.differences],
    }
    return orjson.dumps(told).decode()


def _as_text(report: model.Report) -> list[str]:
    lines = [f"Comparison with the bank of {report.comparison.day} (UTC)", _progress(report.comparison), ""]
    if report.differences:
        lines += _table([_COLUMNS, *([_cell(getattr(each, name)) for name in _COLUMNS] for each in report.differences)])
        lines.append("")
    return [*lines, _totals(report)]


def _progress(comparison: model.Comparison) -> str:
    share = min(100, round(100 * comparison.compared / max(1, comparison.planned)))
    so_far = f"{comparison.compared} of {comparison.planned} compared ({share} %)"
    began = _cell(comparison.started_at)
    if comparison.finished_at is not None:
        took_s = (comparison.finished_at - comparison.started_at).total_seconds()
        return f"Finished at {_cell(comparison.finished_at)} after {took_s:.0f} s: {comparison.compared} compared."
    if comparison.is_stale:
        return f"Broke off: {so_far}, begun at {began}. Begin anew with --run."
    return f"Under way since {began}: {so_far}. Ask again for what it finds."


def _totals(report: model.Report) -> str:
    count = sum(report.totals.values())
    if not count:
        return "No differences." if report.comparison.finished_at else "No differences so far."
    told = [f"{report.totals[kind]} {words}" for kind, words in _KINDS.items() if report.totals.get(kind)]
    shown = len(report.differences)
    rest = f" The first {shown} are shown." if shown < count else ""
    return f"{count} in all: {', '.join(told)}.{rest}"


_KINDS = {
    model.Kind.STATUS: "with another status at the bank",
    model.Kind.MISSING: "unknown to the bank",
    model.Kind.UNANSWERED: "not answered by the bank",
}


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cell(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return "-" if value is None else str(value)


REPORT = process.Command("report", "how our statuses differ from the bank's", _arguments, _run)
