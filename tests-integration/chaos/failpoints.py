"""Every durable boundary of a service, read from its code: where a test may kill it, by the names that kit gives them.

Transactions are named after the function that opens them, a change that commits by itself after the function that
sends it, a neighbour's call after the neighbour and its operation; those of the queue stand in kit.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos import sources

ROOT = Path(__file__).parents[2]
_COMMIT = ("before_commit", "after_commit")
_CALL = ("before_call", "after_call")
_STATEMENTS = frozenset({"run", "one", "maybe", "all"})
_DATABASES = frozenset({"db", "_db"})


class DoublePlace(Exception):
    """Two boundaries have one name, so that a test could not tell them apart."""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One boundary; `source` is the file that it stands in, from the root of the repository."""

    name: str
    source: str


def of_service(name: str, root: Path = ROOT) -> list[Point]:
    """The boundaries of a service (`maas-authproxy`) in its own code, in alphabetical order. Raises DoublePlace."""
    package = name.replace("-", "_")
    modules = sources.read(root / "services" / name, package)
    return sorted(
        [*_transactions(modules), *_changes(modules), *_calls(modules, sources.clients(root / "libs/clients"))]
    )


def of_queue() -> list[Point]:
    """The boundaries of the task queue, which every worker has."""
    modules = sources.read(ROOT / "libs/kit", "kit", "kit.stq")
    return sorted({*_transactions(modules), *_changes(modules), *_marked(modules)})


def schedule_of(name: str) -> list[str]:
    """The periodic tasks of a service."""
    modules = sources.read(ROOT / "services" / name, name.replace("-", "_"))
    calls = (node for module in modules for _, node in module.calls() if _called(node) == "every")
    return [str(node.args[0].value) for node in calls if isinstance(node.args[0], ast.Constant)]


def _transactions(modules: list[sources.Module]) -> Iterator[Point]:
    seen = set[str]()
    for module in modules:
        for function, node in module.calls():
            if _called(node) == "transaction" and not node.args:
                where = f"{module.name}.{function}"
                if where in seen:
                    raise DoublePlace(f"{where} opens two transactions")
                seen.add(where)
                yield from _points(where, _COMMIT, module)


def _changes(modules: list[sources.Module]) -> Iterator[Point]:
    """Functions that send one change with what they were given, where somebody gives them a database."""
    changing = {f"{module.name}.{function}": module for module in modules for function in _changing(module)}
    given = {target for module in modules for target in _given_a_database(module)}
    for where in sorted(changing.keys() & given):
        yield from _points(where, _COMMIT, changing[where])


def _changing(module: sources.Module) -> set[str]:
    return {
        function
        for function, node in module.calls()
        if _called(node) in _STATEMENTS and isinstance(node.func, ast.Attribute) and not _is_read(module, node)
    }


def _is_read(module: sources.Module, call: ast.Call) -> bool:
    """Whether all of its SQL only reads; a call without SQL that can be found is no statement."""
    texts = [module.text_of(argument) for argument in call.args]
    found = [text for text in texts if text is not None]
    return all(sources.only_reads(text) for text in found)


def _given_a_database(module: sources.Module) -> Iterator[str]:
    """The functions (`maas.users.queries.insert_link`) that are called, or bound by `partial`, with a database."""
    for _, node in module.calls():
        for target, arguments in ((node.func, node.args), *((each, node.args[1:]) for each in node.args[:1])):
            if arguments and _last_name(arguments[0]) in _DATABASES and (where := module.resolved(target)):
                yield where


def _calls(modules: list[sources.Module], clients: list[sources.Client]) -> Iterator[Point]:
    """What the service asks of its neighbours."""
    asked = {
        ((_last_name(node.func.value) or "").removeprefix("_"), node.func.attr)
        for module in modules
        for _, node in module.calls()
        if isinstance(node.func, ast.Attribute)
    }
    for client in clients:
        for method, operations in client.methods.items():
            if (client.attribute, method) in asked:
                for operation in operations:
                    yield from (Point(f"{client.name}.{operation}:{side}", client.source) for side in _CALL)


def _marked(modules: list[sources.Module]) -> Iterator[Point]:
    for module in modules:
        for _, node in module.calls():
            if _called(node) == "reach":
                where, boundary = (module.text_of(argument) for argument in node.args)
                yield Point(f"{where}:{boundary}", module.source)


def _points(where: str, boundaries: tuple[str, ...], module: sources.Module) -> Iterator[Point]:
    return (Point(f"{where}:{boundary}", module.source) for boundary in boundaries)


def _called(node: ast.Call) -> str | None:
    return node.func.attr if isinstance(node.func, ast.Attribute) else None


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
