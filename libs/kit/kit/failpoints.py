"""Named places where a test may kill, delay or fail the process; in production each is one `is None` check.

A place is `<where>:<boundary>`: the function or operation it belongs to, and which durable boundary it stands at
(`before_commit`, `after_commit`, `before_call`, `after_call`, `before_publish`, `after_publish`, `before_ack`).
Nothing in production code arms them: only testkit, which no image contains, sets the hook.
"""

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


def arm(hook: Callable[[str], None] | None) -> None:
    """Sets what is called with the name of each place that is reached; None disarms. For testkit only."""
    global _hook
    _hook = hook


def is_armed() -> bool:
    """True when a hook is set, so that callers may skip working out a name."""
    return _hook is not None


def reach(where: str, boundary: str) -> None:
    """Marks a durable boundary."""
    if _hook is not None:
        _hook(f"{where}:{boundary}")
