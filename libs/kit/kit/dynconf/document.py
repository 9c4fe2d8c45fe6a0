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
    lines: dict[Path, int] = {}
    try:
        document = _parsed(raw, lines)
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


def _parsed(raw: bytes, lines: dict[Path, int]) -> dict[Any, Any]:
    if len(raw) > MAX_BYTES:
        raise _Mistake(f"it is larger than {MAX_BYTES} bytes")
    loader = _Loader(raw)
    try:
        node = loader.get_single_node()
        document = {} if node is None else _built(loader, node, (), lines)
    except yaml.MarkedYAMLError as wrong:
        where = f"line {wrong.problem_mark.line + 1}: " if wrong.problem_mark else ""
        raise _Mistake(f"{where}is not YAML: {wrong.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise _Mistake("it is not YAML in UTF-8") from None
    finally:
        loader.dispose()
    if not isinstance(document, dict):
        raise _Mistake("it is not a mapping of configs and experiments")
    return document


def _built(loader: Any, node: Any, path: Path, lines: dict[Path, int]) -> Any:
    line = node.start_mark.line + 1
    if path in lines or len(path) > _MAX_DEPTH:
        raise _Mistake(f"line {line}: {_dotted(path)} is given twice or too deep")
    lines[path] = line
    if isinstance(node, yaml.MappingNode):
        return {
            (name := _key(key)): _built(loader, item, (*path, name), _keyed(lines, key, (*path, name)))
            for key, item in node.value
        }
    if isinstance(node, yaml.SequenceNode):
        return [_built(loader, item, (*path, number), lines) for number, item in enumerate(node.value)]
    value = loader.construct_object(node)
    if not isinstance(value, (str, int, float, bool, type(None))) or value in (math.inf, -math.inf):
        raise _Mistake(f"line {line}: {_dotted(path)} is not a plain value")
    return value


def _key(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Mistake(f"line {node.start_mark.line + 1}: a key is not a plain text")
    return str(node.value)


def _keyed(lines: dict[Path, int], key: Any, path: Path) -> dict[Path, int]:
    if path in lines:
        raise _Mistake(f"line {key.start_mark.line + 1}: {_dotted(path)} is given twice")
    return lines


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
