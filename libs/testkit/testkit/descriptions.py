"""A service's description, made ready to make up requests from."""

import copy
from typing import Any


def without_security(document: dict[str, Any]) -> dict[str, Any]:
    """The description without its credentials: a test brings those itself, so leaving them out would break nothing."""
    made = copy.deepcopy(document)
    made.pop("security", None)
    made.get("components", {}).pop("securitySchemes", None)
    for operations in made["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return made
