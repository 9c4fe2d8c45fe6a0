"""Answers: the one error form, the one place where a kind becomes a status number, and the bytes of it all."""

import functools
import http
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import utils
from typing import Any

import orjson

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
_NOT_MODIFIED = 304
_BODILESS = frozenset({204, _NOT_MODIFIED})
_JSON = b"Content-Type: application/json; charset=utf-8\r\n"
_ETAG = re.compile(r"[!#-~]{1,128}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class InternalError(errors.Internal):
    """The service failed."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer that needs no schema any more: a dictionary built by hand on a hot route, JSON that is bytes already,
    headers of its own, or an `etag` (without quotes), with which a client that has it already is answered 304.
    """

    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class NotModified:
    """The client has what it asked for: 304 with the `etag` of it (without quotes)."""

    etag: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes passed on as they are: pages, metrics, the answer of a service behind a proxy."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Answer:
    """What goes out: `head` is the lines of its own headers, `code` that of the error form, empty for a success; after
    one that `is_last` the connection ends.
    """

    status: int
    head: bytes
    body: bytes = b""
    code: str = ""
    is_last: bool = False

    def to_wire(self, more: bytes, *, is_head: bool = False) -> bytes:
        """All its bytes, `more` header lines among them; to a HEAD without the body."""
        is_bodiless = self.status in _BODILESS
        length = b"" if is_bodiless else b"Content-Length: %d\r\n" % len(self.body)
        end = b"Connection: close\r\n\r\n" if self.is_last else b"\r\n"
        start = _start(self.status, int(time.time()))
        return b"".join((start, self.head, more, length, end, b"" if is_head or is_bodiless else self.body))


@functools.lru_cache(64)
def _start(status: int, second: int) -> bytes:
    # The same for all answers of one second, which is as fine as Date can say it.
    date = utils.formatdate(second, usegmt=True)
    return f"HTTP/1.1 {status} {_phrase(status)}\r\nServer: taxi\r\nDate: {date}\r\n".encode("ascii")


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def lines(headers: Mapping[str, str]) -> bytes:
    """The headers as they are sent; ValueError for one that would begin a line of its own."""
    if not headers:
        return b""
    if any(_CONTROL.search(word) for pair in headers.items() for word in pair):
        raise ValueError("a control character in a header")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def encoded(content: Any, headers: Mapping[str, str]) -> Answer:
    """A 200 with `content` as JSON, or with the JSON that it is already."""
    return Answer(200, _JSON + lines(headers), content if type(content) is bytes else orjson.dumps(content))


def tagged(ready: Ready | NotModified, known: str) -> Answer:
    """The answer with its ETag, a 304 when it is among those that the client says it has (`known`, If-None-Match)."""
    assert ready.etag is not None
    if not _ETAG.fullmatch(ready.etag):
        raise ValueError("an etag is 1 to 128 visible ASCII characters without a quote")
    head = b'ETag: "%b"\r\n' % ready.etag.encode("ascii")
    if isinstance(ready, NotModified):
        return Answer(_NOT_MODIFIED, head)
    head += lines(ready.headers)
    if known and (known == "*" or ready.etag in map(_opaque, known.split(","))):
        return Answer(_NOT_MODIFIED, head)
    answer = encoded(ready.content, {})
    answer.head += head
    return answer


def _opaque(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')


def known_etag(known: str) -> str | None:
    """The one tag that an If-None-Match names, without quotes; None for none, several, or any."""
    return None if not known or known == "*" or "," in known else _opaque(known) or None


def passed(raw: Raw) -> Answer:
    """The answer that carries `raw`."""
    return Answer(raw.status, lines({"Content-Type": raw.content_type, **raw.headers}), raw.body)


def refused(
    refusal: errors.Refusal,
    *,
    has_written: bool = False,
    is_last: bool = False,
    say: Callable[[str], str] = lambda message: message,
) -> Answer:
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
    headers = {"X-Should-Retry": "true" if kind in _RETRYABLE else "false"}
    if kind in _WAITABLE:
        headers["Retry-After"] = str(math.ceil(details.get("retry_after_s", RETRY_AFTER_S)))
    if kind is Kind.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(details.get("allowed", ()))
    body = orjson.dumps(form, default=str, option=orjson.OPT_NON_STR_KEYS)
    return Answer(STATUS[kind], _JSON + lines(headers), body, refusal.code, is_last)
