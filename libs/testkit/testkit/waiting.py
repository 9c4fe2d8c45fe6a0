"""Waiting for a condition instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def until(condition: Callable[[], Awaitable[T]], timeout_s: float = ..., period_s: float = ...) -> T: ...
@overload
async def until(condition: Callable[[], T], timeout_s: float = ..., period_s: float = ...) -> T: ...
async def until(condition: Callable[[], Any], timeout_s: float = 5.0, period_s: float = 0.01) -> Any:
    """The first true value of the condition (a function, sync or async), asked every `period_s`.

    Raises AssertionError naming the condition when the time is over. An AssertionError inside the condition counts as
    "not yet" and is shown at the end, so that a condition may be written as asserts.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        failure: AssertionError | None = None
        try:
            answer = condition()
            value = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"not so after {timeout_s} s: {name}{_line(condition)}") from failure
        await asyncio.sleep(period_s)


def _line(condition: object) -> str:
    code = getattr(condition, "__code__", None)
    return f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
