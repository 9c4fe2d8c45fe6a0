"""Bytes out, bytes in: one exchange over aiohttp with every limit on it, and the strict reading of an answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Never

import aiohttp
import marshmallow as ma
from multidict import CIMultiDictProxy

from kit import strict_json
from kit.http_client.failures import (
    NeighbourFailed,
    NeighbourGarbage,
    NeighbourTimeout,
    NeighbourUnavailable,
    Trouble,
)

_CONNECT_S = 1.0
_KEEPALIVE_S = 10.0
_PLAIN_JSON = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})
_JSON = re.compile(r'application/json\s*(?:;\s*charset="?utf-8"?\s*)?', re.IGNORECASE | re.ASCII)
_CODE = re.compile(r"[a-zA-Z0-9_.-]{1,64}", re.ASCII)
_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer as it came."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


def opened(connections: int) -> aiohttp.ClientSession:
    """A session that keeps at most `connections`, decodes nothing, remembers no cookies and repeats nothing."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEPALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "taxi"},
        auto_decompress=False,
    )
    # aiohttp sends some methods again by itself when a kept connection turns out dead; how often a call is sent is
    # the client's decision alone.
    session._retry_connection = False
    return session


async def fetch(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout_s: float,
    limit: int,
) -> Raw:
    """One exchange within `timeout_s` seconds; an answer over `limit` bytes is garbage. Raises `Trouble` only."""
    # Connecting gets less than the whole, so that a dead host is known as such: then nothing was sent.
    timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(_CONNECT_S, timeout_s * 0.8))
    try:
        async with session.request(
            method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
        ) as response:
            return Raw(response.status, response.headers, await _body(response, limit))
    except aiohttp.ConnectionTimeoutError as wrong:
        raise Trouble(NeighbourUnavailable, "connect_timeout") from wrong
    except aiohttp.ClientConnectorError as wrong:
        raise Trouble(NeighbourUnavailable, "not_connected") from wrong
    except TimeoutError as wrong:
        raise Trouble(NeighbourTimeout, "timeout") from wrong
    except aiohttp.ClientResponseError as wrong:
        raise Trouble(NeighbourGarbage, "not_http") from wrong
    except (aiohttp.ClientError, OSError) as wrong:
        raise Trouble(NeighbourFailed, "connection_lost") from wrong


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    if (response.content_length or 0) > limit:
        _refuse_size(response)
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            _refuse_size(response)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _refuse_size(response: aiohttp.ClientResponse) -> Never:
    response.close()
    raise Trouble(NeighbourGarbage, "too_large")


def loaded(raw: Raw, answer: ma.Schema) -> Any:
    """The body as the schema loads it; `Trouble` names at most the fields that are wrong, never what was in them."""
    try:
        return answer.load(_json(raw))
    except ma.ValidationError as wrong:
        paths = sorted(_paths(wrong.messages, ""))[:_FIELDS]
        raise Trouble(NeighbourGarbage, "fields", fields=paths) from None


def _json(raw: Raw) -> Any:
    content_type = raw.headers.get("Content-Type", "")
    if content_type not in _PLAIN_JSON and not _JSON.fullmatch(content_type.strip()):
        raise Trouble(NeighbourGarbage, "content_type")
    try:
        return strict_json.loads(raw.body)
    except strict_json.Malformed:
        raise Trouble(NeighbourGarbage, "not_json") from None


def _paths(messages: Any, path: str) -> list[str]:
    if not isinstance(messages, dict):
        return [path or "_schema"]
    found: list[str] = []
    for key, below in messages.items():
        # A key of a mapping is the neighbour's own text, so only what looks like a name or an index is repeated.
        name = str(key) if _CODE.fullmatch(str(key)) else "?"
        found += _paths(below, path if name == "_schema" and path else f"{path}.{name}".lstrip("."))
    return found


def code_of(raw: Raw) -> str:
    """The `code` of an error in the house's form, an empty string for any other."""
    try:
        form = _json(raw)
    except Trouble:
        return ""
    code = form.get("code") if isinstance(form, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def retry_after_s(raw: Raw) -> int | None:
    """The seconds of `Retry-After`; None when it is absent, a date, or longer than a day."""
    text = raw.headers.get("Retry-After", "").strip()
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 6 and int(text) <= 86400 else None
