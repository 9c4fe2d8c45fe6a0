"""Answers: the one error form, and the one place where a kind becomes a status number."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from kit import errors
from kit.errors import Kind

STATUS = {
    Kind.INVALID: 400,
    Kind.UNAUTHORIZED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.METHOD_NOT_ALLOWED: 405,
    Kind.NOT_ACCEPTABLE: 406,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.TOO_MANY: 429,
    Kind.INTERNAL: 500,
    Kind.BAD_NEIGHBOUR: 502,
    Kind.UNAVAILABLE: 503,
    Kind.TIMEOUT: 504,
}
RETRY_AFTER_S = 1
_WAITABLE = frozenset({Kind.TOO_MANY, Kind.UNAVAILABLE})
_RETRYABLE = _WAITABLE | {Kind.INTERNAL, Kind.BAD_NEIGHBOUR, Kind.TIMEOUT}
_JSON = "application/json; charset=utf-8"


class InternalError(errors.Internal):
    """The service failed."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer that needs no schema any more: a dictionary built by hand on a hot route, or a status of its own."""

    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes passed on as they are: pages, metrics, the answer of a service behind a proxy."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def encoded(content: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """A 200 with `content` as JSON."""
    response = web.Response(body=orjson.dumps(content), headers=headers)
    response.headers["Content-Type"] = _JSON
    return response


def passed(raw: Raw) -> web.Response:
    """The response that carries `raw`."""
    response = web.Response(body=raw.body, status=raw.status, headers=raw.headers)
    response.headers["Content-Type"] = raw.content_type
    return response


def refused(
    refusal: errors.Refusal, *, has_written: bool = False, say: Callable[[str], str] = lambda message: message
) -> web.Response:
    """The error form `{"code", "message", "details"?}`.

    503 promises that nothing was done; a request that has written something says 500 instead. `X-Should-Retry` says
    aloud whether sending the same again can help.
    """
    kind = refusal.kind
    if kind is Kind.UNAVAILABLE and has_written:
        kind = Kind.INTERNAL
    form: dict[str, Any] = {"code": refusal.code, "message": say(refusal.message)}
    if refusal.details:
        form["details"] = refusal.details
    response = web.Response(body=orjson.dumps(form, default=str), status=STATUS[kind])
    response.headers["Content-Type"] = _JSON
    response.headers["X-Should-Retry"] = "true" if kind in _RETRYABLE else "false"
    if kind in _WAITABLE:
        response.headers["Retry-After"] = str(refusal.details.get("retry_after_s", RETRY_AFTER_S))
    return response
