"""Settings: one frozen dataclass per process, read from the environment once, at start; all errors are told at once.

    @dataclass(frozen=True)
    class Config:
        database_dsn: config.Secret
        api_port: int = field(default=8103, metadata={"help": "where the API listens"})

    settings = config.load(Config, "MAAS_")        # MAAS_DATABASE_DSN (or MAAS_DATABASE_DSN_FILE), MAAS_API_PORT

A variable `<NAME>_FILE` names a file that holds the value. What the values mean together is checked by the
dataclass's own `__post_init__`, which raises ValueError.
"""

import dataclasses
import os
import pathlib
import types
import typing
from typing import Any, NoReturn, TypeVar

import environs

from kit import logs

logs.allow("names")


class Secret:
    """A string that shows itself to nobody but the caller of `reveal`."""

    __slots__ = ("_hidden",)

    def __init__(self, hidden: str) -> None:
        self._hidden = hidden

    def reveal(self) -> str:
        """The value in clear."""
        return self._hidden

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._hidden == self._hidden

    def __hash__(self) -> int:
        return hash(self._hidden)

    def __bool__(self) -> bool:
        return bool(self._hidden)

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not serialised")


class Broken(Exception):
    """The settings are unusable; `errors` holds one sentence per variable, and no sentence holds a value."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("settings are unusable:\n" + "\n".join(f"  {error}" for error in errors))
        self.errors = errors


@dataclasses.dataclass(frozen=True)
class Variable:
    """What one variable is, for help texts; `default` is already safe to print."""

    name: str
    kind: str
    default: str | None
    help: str


_Config = TypeVar("_Config")
_NOT_SET: Any = object()
_WORDS = {str: "a text", Secret: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_WORDS |= {pathlib.Path: "a path", tuple: "a comma list"}


def load(cls: type[_Config], prefix: str) -> _Config:
    """Makes `cls` from `<prefix><FIELD>` variables; raises `Broken` with every error, warns of unknown variables."""
    env = environs.FileAwareEnv(prefix=prefix, strip_whitespace=True)
    values: dict[str, Any] = {}
    errors: list[str] = []
    for field, kind, is_optional in _fields(cls):
        try:
            value = _read(env, field.name.upper(), kind, is_optional)
        except (environs.EnvError, ValueError) as broken:
            errors.append(f"{prefix}{field.name.upper()}: {_sentence(kind, broken)}{_hint(field)}")
            continue
        if value is not _NOT_SET:
            values[field.name] = value
        elif _has_no_default(field):
            errors.append(f"{prefix}{field.name.upper()}: is not set{_hint(field)}")
    if names := unknown(cls, prefix):
        logs.warning("config_unknown_variables", names=names)
    return _made(cls, prefix, values, errors)


def _made(cls: type[_Config], prefix: str, values: dict[str, Any], errors: list[str]) -> _Config:
    if not errors:
        try:
            return cls(**values)
        except ValueError as broken:
            errors.append(f"{prefix}*: {broken}")
    raise Broken(errors)


def unknown(cls: type[Any], prefix: str) -> list[str]:
    """Names of the variables in the environment that have the prefix and mean nothing."""
    known = {prefix + field.name.upper() for field, _, _ in _fields(cls)}
    known |= {name + "_FILE" for name in known}
    return sorted(name for name in os.environ if name.startswith(prefix) and name not in known)


def describe(cls: type[Any], prefix: str) -> list[Variable]:
    """Every variable of `cls`, in the order of its fields."""
    return [
        Variable(prefix + field.name.upper(), _WORDS[kind], _shown(field), str(field.metadata.get("help", "")))
        for field, kind, _ in _fields(cls)
    ]


def _shown(field: dataclasses.Field[Any]) -> str | None:
    if field.default_factory is not dataclasses.MISSING:
        return str(field.default_factory())
    return None if field.default is dataclasses.MISSING else str(field.default)


def _fields(cls: type[Any]) -> list[tuple[dataclasses.Field[Any], type[Any], bool]]:
    hints = typing.get_type_hints(cls)
    return [(field, *_kind(cls, field.name, hints[field.name])) for field in dataclasses.fields(cls) if field.init]


def _kind(cls: type[Any], name: str, hint: Any) -> tuple[type[Any], bool]:
    kinds = [hint]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [part for part in typing.get_args(hint) if part is not types.NoneType]
    is_optional = kinds != [hint]
    kind = typing.get_origin(kinds[0]) or kinds[0]
    if len(kinds) != 1 or kind not in _WORDS:
        raise TypeError(f"{cls.__name__}.{name}: {hint} is not a type of settings")
    return kind, is_optional


def _read(env: environs.FileAwareEnv, name: str, kind: type[Any], is_optional: bool) -> Any:
    text = env.str(name, default=_NOT_SET)
    if text is _NOT_SET or (is_optional and text == ""):
        return text if text is _NOT_SET else None
    if text == "" and kind is not str:
        raise ValueError("is empty")
    if kind in (str, Secret, pathlib.Path):
        return kind(text)
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    parsers: dict[type[Any], Any] = {int: env.int, float: env.float, bool: env.bool}
    return parsers[kind](name)


def _sentence(kind: type[Any], broken: Exception) -> str:
    # The library's own sentence may quote the value; only the two that are known not to are passed on.
    text = str(broken)
    return text if text == "is empty" or "readable file" in text else f"is not {_WORDS[kind]}"


def _hint(field: dataclasses.Field[Any]) -> str:
    text = field.metadata.get("help")
    return f" ({text})" if text else ""


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
