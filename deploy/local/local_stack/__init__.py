"""The whole suite on one machine; `python -m local_stack --help`, and `Stack` for tests."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_stack.failures import AlreadyRunning, PortTaken, StackFailed
from local_stack.stack import Stack
from testkit import servers

__all__ = ["AlreadyRunning", "PortTaken", "Stack", "StackFailed", "running"]


@contextlib.contextmanager
def running() -> Iterator[tuple[dict[str, Any], Stack | None]]:
    """The content of stack.json of the stack that `STACK` names, else of one started for the time inside.

    The second is the Stack, whose parts may be killed and whose `folder` has the logs; None when the stack is somebody
    else's. Nothing of ours is left afterwards.
    """
    if given := os.environ.get("STACK"):
        yield json.loads(Path(given).read_text("utf-8")), None
        return
    path = servers.run_folder(os.getpid())
    try:
        with Stack(path) as stack:
            yield stack.description, stack
    finally:
        shutil.rmtree(path, ignore_errors=True)
