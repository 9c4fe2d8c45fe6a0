"""Python sources as the harness reads them: modules with their calls, SQL constants and imports, and clients."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kit.pg import statements


@dataclass(frozen=True)
class Module:
    """One file; `name` is the module's, `source` the path from the repository's root."""

    name: str
    source: str
    tree: ast.Module
    texts: dict[str, str] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, name: str, source: str) -> "Module":
        """The file, parsed."""
        module = cls(name, source, ast.parse(path.read_text("utf-8")))
        for node in module.tree.body:
            module._note(node)
        return module

    def _note(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                text = self.text_of(value)
                if text is not None:
                    self.texts[name] = text
            case ast.ImportFrom(module=str(package), names=names):
                self.imports.update({each.asname or each.name: f"{package}.{each.name}" for each in names})

    def text_of(self, node: ast.expr) -> str | None:
        """What is known of a text: a literal, the fixed parts of an f-string, a constant, one with replacements."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.JoinedStr(values=values):
                return " ".join(str(each.value) for each in values if isinstance(each, ast.Constant))
            case ast.Name(id=name):
                return self.texts.get(name)
            case ast.Call(func=ast.Attribute(value=value, attr="replace")):
                return self.text_of(value)
        return None

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call with the qualified name of the function that it stands in."""
        yield from _calls(self.tree, "")

    def resolved(self, target: ast.expr) -> str | None:
        """The full name of a function that is called by its name, or by its module's."""
        match target:
            case ast.Name(id=name):
                return self.imports.get(name, f"{self.name}.{name}")
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in self.imports:
                return f"{self.imports[module]}.{name}"
        return None


def _calls(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        inside = function
        match child:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                inside = f"{function}.{name}" if function else name
            case ast.ClassDef(name=name):
                inside = f"{function}.{name}" if function else name
            case ast.Call():
                yield function, child
        yield from _calls(child, inside)


def read(folder: Path, package: str, within: str = "") -> list[Module]:
    """The modules of a package below `folder`, those under `within` alone when it is given."""
    found = []
    for path in sorted((folder / package).rglob("*.py")):
        name = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        if name.startswith(within):
            found.append(Module.read(path, name, str(path.relative_to(folder.parents[1]))))
    return found


def only_reads(sql: str) -> bool:
    """As kit judges a statement."""
    return statements.planned(sql, {})[0].is_read


@dataclass(frozen=True)
class Client:
    """A neighbour's client: its `name`, the `attribute` it has in a context, and the operations of each method."""

    name: str
    attribute: str
    source: str
    methods: dict[str, set[str]]


def clients(folder: Path) -> list[Client]:
    """Every client of the library."""
    return [
        client
        for module in read(folder, "clients")
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and (client := _client(module, node)) is not None
    ]


def _client(module: Module, node: ast.ClassDef) -> Client | None:
    name = next((_named(each) for each in node.body if _named(each)), None)
    functions = [each for each in node.body if isinstance(each, ast.AsyncFunctionDef)]
    if name is None or not any(ast.unparse(base) == "http_client.Client" for base in node.bases):
        return None
    helpers = {each.name: place for each in functions if (place := _place_of_operation(each)) is not None}
    methods = {each.name: _operations(each, helpers) for each in functions if not each.name.startswith("_")}
    return Client(name, name.replace("-", "_"), module.source, methods)


def _named(node: ast.stmt) -> str | None:
    match node:
        case ast.Assign(targets=[ast.Name(id="name")], value=ast.Constant(value=str(name))):
            return name
    return None


def _place_of_operation(function: ast.AsyncFunctionDef) -> int | None:
    """Where a method takes the operation's name, counted without self."""
    names = [each.arg for each in function.args.args]
    return names.index("operation") - 1 if "operation" in names else None


def _operations(function: ast.AsyncFunctionDef, helpers: dict[str, int]) -> set[str]:
    """The operations of a method, `*` for one that its caller names."""
    found = set[str]()
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        values = [each.value for each in node.keywords if each.arg == "operation"]
        if isinstance(node.func, ast.Attribute) and node.func.attr in helpers and not values:
            values = [node.args[helpers[node.func.attr]]]
        found |= {value.value if isinstance(value, ast.Constant) else "*" for value in values}  # type: ignore[misc]
    return found
