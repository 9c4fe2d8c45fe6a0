"""One strict JSON reader for every body that comes from outside.

The standard reader takes repeated keys, NaN, NUL and lone surrogates, and raises RecursionError or ValueError of its
own on deep nesting and huge integers. Here all of these are one error.
"""

import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 32
_MAX_DIGITS = 18
_MAX_CHARS = 64
_ESCAPED = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class Malformed(ValueError):
    """The text is not the JSON that this house reads; the message says why and quotes nothing of it."""


def loads(raw: bytes) -> Any:
    """The value of a UTF-8 JSON text; Malformed for anything doubtful."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    try:
        value = _DECODER.decode(text)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _refuse_deep(value, MAX_DEPTH)
    # Only an escape can make these two; a text without one need not be walked.
    if _ESCAPED.search(raw):
        _refuse_unstorable(value)
    return value


def _refuse_deep(value: Any, left: int) -> None:
    if not isinstance(value, (dict, list)):
        return
    if left == 0:
        raise Malformed("nested too deeply")
    for item in value.values() if isinstance(value, dict) else value:
        _refuse_deep(item, left - 1)


def _refuse_unstorable(value: Any) -> None:
    match value:
        case str():
            if "\0" in value:
                raise Malformed("has a NUL character")
            if any("\ud800" <= char <= "\udfff" for char in value):
                raise Malformed("has a lone surrogate")
        case list():
            for item in value:
                _refuse_unstorable(item)
        case dict():
            for key, item in value.items():
                _refuse_unstorable(key)
                _refuse_unstorable(item)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("has a repeated key")
    return found


def _constant(_: str) -> NoReturn:
    raise Malformed("has NaN or Infinity")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS + digits.startswith("-"):
        raise Malformed("has a number that is too large")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if math.isinf(number) or len(digits) > _MAX_CHARS:
        raise Malformed("has a number that is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_real)
