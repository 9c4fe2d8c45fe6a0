"""Answers: the one error form, and the one place where a kind becomes a status number."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from multidict import istr

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
_TYPE = istr("Content-Type")
_JSON = "application/json; charset=utf-8"


class InternalError(errors.Internal):
    """The service failed."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer that needs no schema any more: a dictionary built by hand on a hot route, or headers of its own."""

    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes passed on as they are: pages, metrics, the answer of a service behind a proxy."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(web.Response):
    """The error form on its way out."""

    code: str


def encoded(content: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """A 200 with `content` as JSON."""
    response = web.Response(body=orjson.dumps(content), headers=headers or None)
    response.headers[_TYPE] = _JSON
    return response


def passed(raw: Raw) -> web.Response:
    """The response that carries `raw`."""
    response = web.Response(body=raw.body, status=raw.status, headers=raw.headers)
    response.headers[_TYPE] = raw.content_type
    return response


def refused(
    refusal: errors.Refusal, *, has_written: bool = False, say: Callable[[str], str] = lambda message: message
) -> Refused:
    """The error form `{"code", "message", "details"?}`.

    503 promises that nothing was done; a request that has written something says `internal_error` instead.
    `X-Should-Retry` says aloud whether sending the same again can help.
    """
    if has_written and refusal.kind is Kind.UNAVAILABLE:
        refusal = InternalError()
    kind, details = refusal.kind, refusal.details
    form: dict[str, Any] = {"code": refusal.code, "message": say(refusal.message)}
    if details:
        form["details"] = details
    response = Refused(body=orjson.dumps(form, default=str, option=orjson.OPT_NON_STR_KEYS), status=STATUS[kind])
    response.code = refusal.code
    response.headers[_TYPE] = _JSON
    response.headers["X-Should-Retry"] = "true" if kind in _RETRYABLE else "false"
    if kind in _WAITABLE:
        response.headers["Retry-After"] = str(math.ceil(details.get("retry_after_s", RETRY_AFTER_S)))
    if kind is Kind.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(details.get("allowed", ()))
    return response
