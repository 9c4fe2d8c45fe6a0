"""What the HTTP parser lets through and this house refuses: every odd form that a proxy and a server could read in
two ways, and every name or value that could pass for something it is not.
"""

import urllib.parse
from collections.abc import Mapping

from aiohttp import HttpVersion10, web

from kit import errors

_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_QUERY_PAIRS = 32


class RequestMalformed(errors.Invalid):
    """The request is not HTTP as this service reads it."""


def check(request: web.BaseRequest) -> None:
    """Refuses a request whose form is ambiguous; `details.reason` says what was wrong with it."""
    if request.method not in _METHODS:
        raise RequestMalformed(reason="method")
    target = request.path_qs if request.message.path.startswith("/") else ""
    if not target or not request.message.path.isascii() or "#" in request.message.path:
        raise RequestMalformed(reason="target")
    names = _names_of(request)
    if b"upgrade" in names:
        raise RequestMalformed(reason="upgrade")
    _check_framing(request, names)


def _names_of(request: web.BaseRequest) -> dict[bytes, bytes]:
    seen: dict[bytes, bytes] = {}
    for raw_name, value in request.message.raw_headers:
        name = raw_name.lower()
        if name in seen:
            raise RequestMalformed(reason="repeated_header")
        if b"_" in name:
            raise RequestMalformed(reason="header_name")
        if not value.isascii():
            raise RequestMalformed(reason="header_value")
        seen[name] = value
    return seen


def _check_framing(request: web.BaseRequest, names: Mapping[bytes, bytes]) -> None:
    coding = names.get(b"transfer-encoding")
    if coding is not None and (coding.strip().lower() != b"chunked" or request.version <= HttpVersion10):
        raise RequestMalformed(reason="transfer_encoding")
    has_body = coding is not None or names.get(b"content-length", b"0").strip() != b"0"
    if has_body and request.method in _BODILESS:
        raise RequestMalformed(reason="body_on_get")


def query_pairs(raw: str) -> dict[str, str]:
    """The query's arguments; a repeated key, bad escape, NUL or too many of them is RequestMalformed."""
    if not raw:
        return {}
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
