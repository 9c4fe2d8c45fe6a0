"""How Python values become SQL and back, for every connection of the process."""

import decimal
import enum
import re
from collections.abc import Mapping
from typing import Any

import orjson
import psycopg2.extensions
import psycopg2.extras

_JSON_CAST = re.compile(r"%\((\w+)\)s\s*::\s*jsonb?\b")


def _dumps(value: object) -> str:
    return orjson.dumps(value, default=_plain).decode()


def _plain(value: object) -> object:
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


class Json(psycopg2.extras.Json):
    """A value that is sent as JSON; needed only for what is not a dict or a list of dicts."""

    def dumps(self, obj: Any) -> str:
        """The JSON text; TypeError for what orjson does not know, Decimal excepted, which becomes a string."""
        return _dumps(obj)


class _List(psycopg2.extensions.ISQLQuote):
    """A list: JSON when there are dicts in it, else an array, as `= ANY(%(ids)s)` needs."""

    def __init__(self, items: list[Any]) -> None:
        is_json = any(isinstance(item, dict) for item in items)
        self._adapted = Json(items) if is_json else _array(items)

    def prepare(self, conn: Any) -> None:
        self._adapted.prepare(conn)

    def getquoted(self) -> bytes:
        quoted: bytes = self._adapted.getquoted()
        return quoted


_array: Any = psycopg2.extensions.adapters[(list, psycopg2.extensions.ISQLQuote)]


def _member(value: enum.Enum) -> Any:
    return psycopg2.extensions.adapt(value.value)


def register() -> None:
    """Makes it so; called once when the package is imported."""
    psycopg2.extensions.register_adapter(dict, Json)
    psycopg2.extensions.register_adapter(list, _List)
    psycopg2.extensions.register_adapter(enum.Enum, _member)
    psycopg2.extras.register_default_json(globally=True, loads=orjson.loads)
    psycopg2.extras.register_default_jsonb(globally=True, loads=orjson.loads)
    psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]


def json_names(sql: str) -> frozenset[str]:
    """The parameters that `sql` casts to json or jsonb, whose lists are therefore JSON."""
    return frozenset(_JSON_CAST.findall(sql))


def with_json(args: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """`args` with the lists among `names` made JSON."""
    return {name: Json(value) if name in names and type(value) is list else value for name, value in args.items()}
