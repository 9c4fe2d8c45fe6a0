"""Looks whether requirements.lock is whole, before anything is installed from it; needs nothing but Python 3.11.

`python3 lockfile.py [NAME]` in the project's root: exit status 1 and one sentence when it is not; with NAME, prints
that package's lines.
"""

import re
import sys
import tomllib
from pathlib import Path

LOCK = Path("requirements.lock")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ;[^\\]*)?(?: \\)?$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


class Broken(Exception):
    """The lock cannot be used; the message says why in a sentence."""


def blocks(text: str) -> dict[str, list[str]]:
    """The lines of each package by its normal name; raises Broken."""
    found: dict[str, list[str]] = {}
    goes_on = False
    block: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not goes_on and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if not goes_on:
            pin = _PIN.match(line)
            if pin is None:
                raise Broken(f"line {number} is not a package with its exact version")
            if not line.endswith("\\"):
                raise Broken(f"line {number}: {pin[1]} has no hash")
            block = found.setdefault(normal(pin[1]), [])
        elif _HASH.match(line) is None:
            raise Broken(f"line {number} is not a hash")
        block.append(line)
        goes_on = line.endswith("\\")
    if goes_on:
        raise Broken("it ends in the middle of a package")
    return found


def normal(name: str) -> str:
    """The one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(root: Path) -> dict[str, str]:
    """What the project's pyproject.toml files ask for directly, and which of them does."""
    files = [root / "pyproject.toml", *root.glob("*/*/pyproject.toml"), *root.glob("*/pyproject.toml")]
    found: dict[str, str] = {}
    ours: set[str] = set()
    for file in sorted(files):
        content = tomllib.loads(file.read_text("utf-8"))
        ours.add(normal(content["project"]["name"]))
        asked = [*content["project"].get("dependencies", []), *content.get("dependency-groups", {}).get("dev", [])]
        for requirement in asked:
            name = re.match(r"[A-Za-z0-9._-]+", requirement)
            if name:
                found[normal(name[0])] = str(file.relative_to(root))
    return {name: file for name, file in found.items() if name not in ours}


def check(root: Path) -> dict[str, list[str]]:
    """The blocks of a whole lock; raises Broken."""
    try:
        found = blocks((root / LOCK).read_text("utf-8"))
    except FileNotFoundError:
        raise Broken("it is missing") from None
    except UnicodeDecodeError:
        raise Broken("it is not a text") from None
    for name, file in wanted(root).items():
        if name not in found:
            raise Broken(f"{name}, which {file} asks for, is not in it")
    return found


def main() -> int:
    try:
        found = check(Path())
    except Broken as broken:
        print(
            f"setup: {LOCK} cannot be used: {broken}; restore it (git checkout {LOCK}) or make it anew (make lock)",
            file=sys.stderr,
        )
        return 1
    for name in sys.argv[1:]:
        print("\n".join(found[normal(name)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
