"""What the HTTP parser lets through and this house refuses: every odd form that a proxy and a server could read in
two ways, and every name or value that could pass for something it is not.
"""

import re
import urllib.parse
from collections.abc import Sequence

from aiohttp import HttpVersion10, HttpVersion11

from kit import errors
from kit.web.request import Request

MAX_QUERY_PAIRS = 32
MAX_HEAD_BYTES = 32 * 1024
_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_METHODS = _BODILESS | {"POST", "PUT", "PATCH"}
_OF_FRAMING = frozenset({b"content-length", b"expect", b"transfer-encoding", b"upgrade"})
_LENGTH = re.compile(r"0|[1-9][0-9]{0,15}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class RequestMalformed(errors.Invalid):
    """The request is not HTTP as this service reads it."""


def check(request: Request) -> None:
    """Refuses a request whose form is ambiguous; `details.reason` says what was wrong with it."""
    path, version = request.raw_path, request.version
    if request.method not in _METHODS:
        raise RequestMalformed(reason="method")
    # The parser also takes HTTP/0.9 and HTTP/2.0; the two that are served here it names by these objects.
    if version is not HttpVersion11 and version is not HttpVersion10:
        raise RequestMalformed(reason="version")
    if not path.startswith("/") or not path.isascii() or "#" in path:
        raise RequestMalformed(reason="target")
    names = _names_of(request.raw_headers)
    # Most requests have none of these.
    if not names.isdisjoint(_OF_FRAMING):
        _check_framing(request)


def _names_of(headers: Sequence[tuple[bytes, bytes]]) -> set[bytes]:
    found = {name.lower() for name, _ in headers}
    if len(found) != len(headers):
        raise RequestMalformed(reason="repeated_header")
    names, values = b"".join(found), b"".join([value for _, value in headers])
    if b"_" in names:
        raise RequestMalformed(reason="header_name")
    if not values.isascii():
        raise RequestMalformed(reason="header_value")
    if len(names) + len(values) > MAX_HEAD_BYTES:
        raise RequestMalformed(reason="headers_too_large")
    return found


def _check_framing(request: Request) -> None:
    headers = request.headers
    if "Upgrade" in headers:
        raise RequestMalformed(reason="upgrade")
    coding = headers.get("Transfer-Encoding")
    if coding is not None and (coding.lower() != "chunked" or request.is_old):
        raise RequestMalformed(reason="transfer_encoding")
    length = headers.get("Content-Length", "0")
    if not _LENGTH.fullmatch(length):
        raise RequestMalformed(reason="content_length")
    if request.method in _BODILESS and (coding is not None or length != "0"):
        raise RequestMalformed(reason="body_on_get")
    if headers.get("Expect", "100-continue").lower() != "100-continue":
        raise RequestMalformed(reason="expect")


def query_pairs(raw: str) -> dict[str, str]:
    """The query's arguments; a repeated key, bad escape, NUL or too many of them is RequestMalformed."""
    if not raw:
        return {}
    if _BAD_ESCAPE.search(raw):
        raise RequestMalformed(reason="query")
    try:
        pairs = urllib.parse.parse_qsl(
            raw,
            keep_blank_values=True,
            strict_parsing=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MAX_QUERY_PAIRS,
        )
    except ValueError:
        raise RequestMalformed(reason="query") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RequestMalformed(reason="repeated_query_key")
    if any("\0" in part for pair in pairs for part in pair):
        raise RequestMalformed(reason="query")
    return found
