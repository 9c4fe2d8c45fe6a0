"""What a service declares: the names it reads, the shape of each, and the rules of an experiment's clauses."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import marshmallow as ma

REQUIRED: Final[Any] = object()
Shape = ma.Schema | ma.fields.Field[Any]

_ARGUMENTS = ("uid", "phone_id", "application", "city")
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,4}", re.ASCII)
_COMPARISON = re.compile(rf"\s*(>=|<=|==|>|<)\s*({_VERSION.pattern})\s*", re.ASCII)


@dataclass(frozen=True, eq=False)
class Value:
    """One plain value; `default` is the loaded value used where the document says nothing, by default it must."""

    name: str
    shape: Shape
    doc: str
    default: Any = REQUIRED


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment: its clauses give a value of this shape to those whom they match, and nothing to the rest."""

    name: str
    shape: Shape
    doc: str


def loaded(shape: Shape, raw: Any) -> Any:
    """`raw` as the shape loads it; marshmallow.ValidationError."""
    return shape.load(raw) if isinstance(shape, ma.Schema) else shape.deserialize(raw)


@dataclass(frozen=True)
class Clause:
    """One loaded clause: who it is for, and what they get."""

    when: Mapping[str, Any]
    value: Any

    def matches(self, experiment: str, arguments: Mapping[str, Any]) -> bool:
        """True when every condition holds; a condition on an argument that is not known does not."""
        return all(_CONDITIONS[name](self.when, experiment, arguments) for name in self.when if name in _CONDITIONS)


class _Words(ma.fields.List[Any]):
    def __init__(self) -> None:
        super().__init__(ma.fields.Raw(required=True), validate=ma.validate.Length(min=1))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        words = super()._deserialize(value, attr, data, **kwargs)
        if not all(isinstance(word, str) or type(word) is int for word in words):
            raise ma.ValidationError("Not a list of texts or whole numbers.")
        return frozenset(str(word) for word in words)


class _Comparisons(ma.fields.Field[tuple[tuple[str, tuple[int, ...]], ...]]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else [""]
        found = [_COMPARISON.fullmatch(part) for part in parts]
        if not all(found):
            raise ma.ValidationError("Not a comparison of versions like >=1.2 or >=1.2,<2.")
        return tuple((match[1], _numbers(match[2])) for match in found if match)


class WhenSchema(ma.Schema):
    """The conditions of a clause; an unknown one is refused."""

    uid = _Words()
    phone_id = _Words()
    flags = _Words()
    application = _Words()
    city = _Words()
    version = _Comparisons()
    percent = ma.fields.Float(validate=ma.validate.Range(min=0, max=100))
    salt = ma.fields.String(validate=ma.validate.Length(min=1))
    by = ma.fields.String(validate=ma.validate.OneOf(_ARGUMENTS))

    @ma.validates_schema
    def _share(self, data: dict[str, Any], **_: Any) -> None:
        for name in ("salt", "by"):
            if name in data and "percent" not in data:
                raise ma.ValidationError("Means nothing without percent.", name)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _is_listed(name: str) -> Callable[[Mapping[str, Any], str, Mapping[str, Any]], bool]:
    return lambda when, _, arguments: arguments.get(name) is not None and str(arguments[name]) in when[name]


def _has_flag(when: Mapping[str, Any], experiment: str, arguments: Mapping[str, Any]) -> bool:
    return not when["flags"].isdisjoint(arguments.get("flags") or ())


def _is_version(when: Mapping[str, Any], experiment: str, arguments: Mapping[str, Any]) -> bool:
    version = arguments.get("version")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        return False
    own = _numbers(version)
    return all(_COMPARE[sign](own, wanted) for sign, wanted in when["version"])


def _is_in_share(when: Mapping[str, Any], experiment: str, arguments: Mapping[str, Any]) -> bool:
    who = arguments.get(when.get("by", "uid"))
    return who is not None and share(str(when.get("salt", experiment)), str(who)) < when["percent"]


def share(salt: str, who: str) -> float:
    """Where `who` falls between 0 and 100, evenly and for ever the same under one salt."""
    digest = hashlib.sha256(f"{salt}:{who}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48) * 100


_COMPARE: dict[str, Callable[[Sequence[int], Sequence[int]], bool]] = {
    ">=": lambda own, wanted: tuple(own) >= tuple(wanted),
    "<=": lambda own, wanted: tuple(own) <= tuple(wanted),
    ">": lambda own, wanted: tuple(own) > tuple(wanted),
    "<": lambda own, wanted: tuple(own) < tuple(wanted),
    "==": lambda own, wanted: tuple(own) == tuple(wanted),
}
_CONDITIONS: dict[str, Callable[[Mapping[str, Any], str, Mapping[str, Any]], bool]] = {
    **{name: _is_listed(name) for name in _ARGUMENTS},
    "flags": _has_flag,
    "version": _is_version,
    "percent": _is_in_share,
}
