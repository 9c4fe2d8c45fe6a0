"""An import-linter contract that its own kinds can't say: what one feature may use of another.

Across features only `actions`, `model` and `schemas` are open; handlers and tasks belong to the page `app`, queries to
their own feature, and what is private stays where it is.
"""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

_OPEN = frozenset({"actions", "model", "schemas"})


class Rooms(Contract):
    """`services`: packages whose sub-packages are features."""

    type_name = "rooms"
    services: Any = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Kept when every import between two features enters by an open room."""
        wrong = [
            (importer, imported)
            for service in self.services
            for importer in sorted(graph.find_descendants(service))
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if _enters_wrongly(service, importer, imported)
        ]
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Names each wrong import."""
        for importer, imported in check.metadata["wrong"]:
            output.print_error(f"{importer} -> {imported}: that room is closed to other features")


def _enters_wrongly(service: str, importer: str, imported: str) -> bool:
    theirs = imported.removeprefix(f"{service}.").split(".")
    ours = importer.removeprefix(f"{service}.").split(".")
    if not imported.startswith(f"{service}.") or len(theirs) < 2 or len(ours) < 2 or ours[0] == theirs[0]:
        return False
    return theirs[1] not in _OPEN
