"""`tasks list | show | retry | drop`: what an operator does with tasks, most often with dead ones.

Exit status: 0 done, 1 not (all) done as asked, 2 a wrong command line, 3 the database does not answer.
"""

import argparse
import asyncio
import datetime
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from kit import errors, pg
from kit.stq import operating

_STATES = ("waiting", "running", "done", "dead")
_COLUMNS = ("id", "queue", "task_id", "state", "attempt", "due_at", "last_error")


class CannotDo(Exception):
    """Why a command was not carried out, in one sentence."""


def add_parser(words: Any) -> None:
    """Adds the word `tasks` to the sub-parsers of a service's command line."""
    parser = words.add_parser("tasks", help="list, show, retry or drop tasks")
    verbs = parser.add_subparsers(dest="tasks_verb", required=True, metavar="list|show|retry|drop")
    listing = verbs.add_parser("list", help="tasks, the oldest first; dead ones unless told otherwise")
    listing.add_argument("--state", choices=[*_STATES, "all"], default="dead")
    listing.add_argument("--queue", metavar="NAME", help="only tasks of this name")
    listing.add_argument("--limit", type=_positive, default=50, help="at most so many (50)")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    showing = verbs.add_parser("show", help="everything about one task")
    showing.add_argument("id", type=_positive, metavar="ID")
    retrying = verbs.add_parser("retry", help="lets dead tasks wait again, with all their attempts before them")
    retrying.add_argument("ids", type=_positive, nargs="*", metavar="ID")
    retrying.add_argument("--all", action="store_true", help="every dead task of --queue")
    retrying.add_argument("--queue", metavar="NAME")
    dropping = verbs.add_parser("drop", help="deletes dead or waiting tasks for good")
    dropping.add_argument("ids", type=_positive, nargs="+", metavar="ID")
    dropping.add_argument("--yes", action="store_true", help="says that this is meant")


def run(arguments: argparse.Namespace, dsn: str) -> int:
    """Carries out a parsed command on the database at `dsn`; the exit status."""
    return asyncio.run(carry_out(arguments, dsn))


async def carry_out(arguments: argparse.Namespace, dsn: str) -> int:
    """As `run`, for those who have a loop already."""
    command: Callable[[pg.Database, argparse.Namespace], Awaitable[None]] = _COMMANDS[arguments.tasks_verb]
    db = await pg.Database.open(dsn, name="tasks", size=1, acquire_timeout_s=5, statement_timeout_ms=30_000)
    try:
        await command(db, arguments)
    except CannotDo as reason:
        return _complain(str(reason), 1)
    except errors.Unavailable:
        return _complain("The database does not answer; nothing was done.", 3)
    except errors.Refusal as failure:
        return _complain(f"The database failed ({failure.code}); look again before repeating it.", 3)
    finally:
        await db.close()
    return 0


async def _list(db: pg.Database, arguments: argparse.Namespace) -> None:
    state = None if arguments.state == "all" else arguments.state
    found = await operating.list_tasks(db, state=state, queue=arguments.queue, limit=arguments.limit)
    if arguments.json:
        for row in found:
            _say(orjson.dumps(row).decode())
        return
    if not found:
        _say("No tasks." if state is None else f"No {state} tasks.")
        return
    for line in _table([_COLUMNS, *([_cell(row[name]) for name in _COLUMNS] for row in found)]):
        _say(line)
    if len(found) == arguments.limit:
        _say(f"The first {arguments.limit} only; --limit shows more.")


async def _show(db: pg.Database, arguments: argparse.Namespace) -> None:
    found = await operating.find_task(db, arguments.id)
    if found is None:
        raise CannotDo(f"There is no task {arguments.id}.")
    kwargs = found.pop("kwargs")
    for name, value in found.items():
        _say(f"{name:<13} {_cell(value)}")
    _say("kwargs")
    _say(orjson.dumps(kwargs, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode())


async def _retry(db: pg.Database, arguments: argparse.Namespace) -> None:
    if arguments.all:
        if arguments.ids or not arguments.queue:
            raise CannotDo("Say which: --all goes with --queue NAME and without ids.")
        done = await operating.retry(db, queue=arguments.queue)
        _say(f"{len(done)} dead task(s) of {arguments.queue} wait again.")
        return
    if not arguments.ids or arguments.queue:
        raise CannotDo("Say which: ids, or --all with --queue NAME.")
    done = await operating.retry(db, ids=arguments.ids)
    _say(f"{len(done)} task(s) wait again.")
    _check_all(arguments.ids, done, "not dead")


async def _drop(db: pg.Database, arguments: argparse.Namespace) -> None:
    if not arguments.yes:
        raise CannotDo("Nothing was dropped: what is dropped is gone, so say --yes.")
    done = await operating.drop(db, arguments.ids)
    _say(f"{len(done)} task(s) dropped.")
    _check_all(arguments.ids, done, "neither dead nor waiting")


def _check_all(asked: Sequence[int], done: Sequence[int], why: str) -> None:
    if left := sorted(set(asked) - set(done)):
        raise CannotDo(f"Left alone, since they do not exist or are {why}: {', '.join(map(str, left))}.")


_COMMANDS = {"list": _list, "show": _show, "retry": _retry, "drop": _drop}


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cell(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return "-" if value is None else " ".join(str(value).split())


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number < 1 << 63:
        raise ValueError
    return number


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _complain(sentence: str, status: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return status
