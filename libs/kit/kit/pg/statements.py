"""What a statement is: its four calls, what its text tells, and how rows become objects."""

import abc
import re
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import psycopg2

from kit.pg import adapt, faults, link

T = TypeVar("T")

_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/|\()*", re.DOTALL)
_READS = ("SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN")
_CHANGES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO)\b", re.IGNORECASE)


class Executor(Protocol):
    """What takes statements with `%(name)s` parameters: a Database (each commits by itself) or a Transaction."""

    async def one(self, into: Callable[..., T], sql: str, /, **args: Any) -> T:
        """The only row, as `into` makes it of the columns by keyword; RuntimeError when there is none or another."""

    async def maybe(self, into: Callable[..., T], sql: str, /, **args: Any) -> T | None:
        """The only row or None; RuntimeError when there is another."""

    async def all(self, into: Callable[..., T], sql: str, /, **args: Any) -> list[T]:
        """All rows; the statement itself limits how many."""

    async def run(self, sql: str, /, **args: Any) -> int:
        """How many rows the statement touched."""


def value(**row: Any) -> Any:
    """For `into`: the only column of the row."""
    (only,) = row.values()
    return only


class Plan:
    """What is known of a statement from its text alone."""

    __slots__ = ("is_read", "json_names")

    def __init__(self, sql: str) -> None:
        self.is_read = _is_read(sql)
        self.json_names = adapt.json_names(sql)


def _is_read(sql: str) -> bool:
    start = _COMMENTS.match(sql)
    text = sql[start.end() :] if start else sql
    if ";" in text.rstrip("; \n\t"):
        return False
    word = text[:8].upper()
    if word.startswith("WITH") or word.startswith("EXPLAIN") or "INTO" in text.upper():
        return not _CHANGES.search(text)
    return word.startswith(_READS)


_plans: dict[str, Plan] = {}


def planned(sql: str, args: dict[str, Any]) -> tuple[Plan, dict[str, Any]]:
    """The plan of a statement and its arguments made ready to send."""
    found = _plans.get(sql)
    if found is None:
        if len(_plans) >= 4096:
            _plans.clear()
        found = _plans[sql] = Plan(sql)
    return found, adapt.with_json(args, found.json_names) if found.json_names else args


class Statements(abc.ABC):
    """The four calls over the one way to run a statement."""

    __slots__ = ()

    @abc.abstractmethod
    async def _execute(self, sql: str, args: dict[str, Any]) -> Any:
        """The cursor of the executed statement."""

    async def one(self, into: Callable[..., T], sql: str, /, **args: Any) -> T:
        rows = _built(await self._execute(sql, args), into)
        if len(rows) != 1:
            raise RuntimeError(f"exactly one row was expected, {len(rows)} came")
        return rows[0]

    async def maybe(self, into: Callable[..., T], sql: str, /, **args: Any) -> T | None:
        rows = _built(await self._execute(sql, args), into)
        if len(rows) > 1:
            raise RuntimeError(f"one row at most was expected, {len(rows)} came")
        return rows[0] if rows else None

    async def all(self, into: Callable[..., T], sql: str, /, **args: Any) -> list[T]:
        return _built(await self._execute(sql, args), into)

    async def run(self, sql: str, /, **args: Any) -> int:
        count: int = (await self._execute(sql, args)).rowcount
        return count


def _built(cursor: Any, into: Callable[..., T]) -> list[T]:
    columns = cursor.description
    if columns is None:
        raise RuntimeError("the statement gives no rows: use run, or add RETURNING")
    rows = cursor.fetchall()
    if not rows:
        return []
    names = [column.name for column in columns]
    if into is dict:
        return [cast(T, dict(zip(names, row, strict=True))) for row in rows]
    return [into(**dict(zip(names, row, strict=True))) for row in rows]


async def sent(held: link.Link, sql: str, args: dict[str, Any], observe: Callable[[float], None]) -> Any:
    """The driver's cursor with the whole result; raises what `faults` knows, and ConnectionLost."""
    began = time.perf_counter()
    try:
        return await held.execute(sql, args or None)
    except psycopg2.Error as error:
        failure = faults.translated(error)
        held.is_spent = isinstance(failure, faults.ReadOnly)
        raise failure from None
    finally:
        observe(time.perf_counter() - began)
