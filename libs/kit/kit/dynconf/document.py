"""The document: YAML without surprises, each mistake told with its line, loaded into one unchanging snapshot."""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
import yaml

from kit.dynconf import declarations

MAX_BYTES = 1 << 20
_MAX_DEPTH = 32

Path = tuple[str | int, ...]


class Broken(Exception):
    """The document can't be used; `errors` holds a sentence per mistake, with its line where it has one."""

    def __init__(self, source: str, errors: Sequence[str]) -> None:
        super().__init__(f"the dynamic config {source} is unusable: " + "; ".join(errors))
        self.errors = list(errors)


@dataclass(frozen=True)
class Snapshot:
    """One good version of the document; `version` is the beginning of its sha256."""

    version: str
    values: Mapping[str, Any]
    experiments: Mapping[str, tuple[declarations.Clause, ...]]


class _Mistake(Exception):
    pass


class _Loader(yaml.CSafeLoader):
    """Only JSON's words mean something else than text: no dates, no `no` for false, no 12:30 for 750."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


for _tag, _form, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?(?:0|[1-9][0-9]{0,17})", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})\\Z"), list(_first))


def load(
    raw: bytes,
    source: str,
    values: Sequence[declarations.Value],
    experiments: Sequence[declarations.Experiment],
) -> Snapshot:
    """Checks the whole document against what was declared; `Broken` with every mistake in it."""
    try:
        document, lines = _parsed(raw)
    except _Mistake as mistake:
        raise Broken(source, [str(mistake)]) from None
    mistakes: list[tuple[Path, str]] = []
    snapshot = Snapshot(
        hashlib.sha256(raw).hexdigest()[:12],
        _values(document.get("configs"), values, mistakes),
        _experiments(document.get("experiments"), experiments, mistakes),
    )
    mistakes += [((key,), "is not known; there are configs and experiments") for key in document if key not in _PARTS]
    if mistakes:
        raise Broken(source, [_told(path, text, lines) for path, text in mistakes])
    return snapshot


_PARTS = ("configs", "experiments")


def _parsed(raw: bytes) -> tuple[dict[str, Any], dict[Path, int]]:
    if len(raw) > MAX_BYTES:
        raise _Mistake(f"it is larger than {MAX_BYTES} bytes")
    loader = _Loader(raw)
    builder = _Builder(loader)
    try:
        _check_events(raw)
        node = loader.get_single_node()
        document = {} if node is None else builder.built(node, ())
    except yaml.MarkedYAMLError as wrong:
        where = f"line {wrong.problem_mark.line + 1}: " if wrong.problem_mark else ""
        raise _Mistake(f"{where}is not YAML: {wrong.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise _Mistake("it is not YAML in UTF-8") from None
    finally:
        loader.dispose()
    if not isinstance(document, dict):
        raise _Mistake("it is not a mapping of configs and experiments")
    return document, builder.lines


def _check_events(raw: bytes) -> None:
    """Refuses what the library builds recursively in C, where a deep enough document ends the process."""
    depth = 0
    for event in yaml.parse(raw, Loader=_Loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth > _MAX_DEPTH or isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _Mistake(f"line {line}: repeats an anchor or is nested too deeply")


class _Builder:
    """Makes plain values of the nodes, and remembers where each of them stood."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.lines: dict[Path, int] = {}

    def built(self, node: Any, path: Path) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.built(item, (*path, number)) for number, item in enumerate(node.value)]
        value = self._loader.construct_object(node)
        is_plain = value is None or isinstance(value, (str, int, float))
        if not is_plain or (isinstance(value, float) and not math.isfinite(value)):
            raise _mistake(node, path, "is not a plain value")
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _mistake(key, path, "has a key that is not a plain text")
            name = str(key.value)
            if name in found:
                raise _mistake(key, (*path, name), "is given twice")
            found[name] = self.built(item, (*path, name))
        return found


def _mistake(node: Any, path: Path, text: str) -> _Mistake:
    return _Mistake(f"line {node.start_mark.line + 1}: {_dotted(path)} {text}")


def _values(raw: Any, declared: Sequence[declarations.Value], mistakes: list[tuple[Path, str]]) -> dict[str, Any]:
    part = _part(raw, "configs", {value.name for value in declared}, mistakes)
    found: dict[str, Any] = {}
    for value in declared:
        if value.name in part:
            found[value.name] = _shaped(value.shape, part[value.name], ("configs", value.name), mistakes)
        elif value.default is declarations.REQUIRED:
            mistakes.append((("configs", value.name), "is missing"))
        else:
            found[value.name] = value.default
    return found


def _experiments(
    raw: Any, declared: Sequence[declarations.Experiment], mistakes: list[tuple[Path, str]]
) -> dict[str, tuple[declarations.Clause, ...]]:
    part = _part(raw, "experiments", {experiment.name for experiment in declared}, mistakes)
    return {
        experiment.name: tuple(_clauses(experiment, part[experiment.name], mistakes))
        for experiment in declared
        if experiment.name in part
    }


def _part(raw: Any, name: str, declared: set[str], mistakes: list[tuple[Path, str]]) -> dict[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        mistakes.append(((name,), "is not a mapping"))
        return {}
    mistakes += [((name, key), "is not declared by this service") for key in raw if key not in declared]
    return raw


def _clauses(
    experiment: declarations.Experiment, raw: Any, mistakes: list[tuple[Path, str]]
) -> Iterator[declarations.Clause]:
    path: Path = ("experiments", experiment.name)
    if not isinstance(raw, list):
        mistakes.append((path, "is not a list of clauses"))
        return
    for number, clause in enumerate(raw):
        at = (*path, number)
        if not isinstance(clause, dict) or "value" not in clause or set(clause) - {"when", "value"}:
            mistakes.append((at, "is not a clause of `when` and `value`"))
            continue
        when = _shaped(_WHEN, clause.get("when") or {}, (*at, "when"), mistakes)
        yield declarations.Clause(when, _shaped(experiment.shape, clause["value"], (*at, "value"), mistakes))


_WHEN = declarations.WhenSchema()


def _shaped(shape: declarations.Shape, raw: Any, path: Path, mistakes: list[tuple[Path, str]]) -> Any:
    try:
        return declarations.loaded(shape, raw)
    except ma.ValidationError as wrong:
        mistakes += list(_flattened(wrong.messages, path))
        return {}


def _flattened(messages: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(messages, dict):
        for key, below in messages.items():
            yield from _flattened(below, path if key == "_schema" else (*path, key))
    else:
        yield path, " ".join(str(message) for message in messages)


def _told(path: Path, text: str, lines: Mapping[Path, int]) -> str:
    at = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)
    return f"{_dotted(path)}: {text}" if at is None else f"line {at}: {_dotted(path)}: {text}"


def _dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "it"
