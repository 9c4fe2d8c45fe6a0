"""The stations of the Moscow metro and the Moscow Central Circle, as `masstransit` serves them.

The data file is the product's own: one record per station and line, in the order of the line, trains running since
September 2026. A transfer joins separate stations, as in reality.
"""

import hashlib
import importlib.resources
import json
from dataclasses import dataclass
from typing import Any

_FILE = "data/moscow_metro.json"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The stops, and a version that changes when they do."""

    version: str
    stops: tuple[dict[str, Any], ...]


def load() -> Catalogue:
    """The catalogue in the package."""
    raw = importlib.resources.files("sandbox").joinpath(_FILE).read_bytes()
    return Catalogue(version=hashlib.sha256(raw).hexdigest()[:40], stops=tuple(json.loads(raw)))
