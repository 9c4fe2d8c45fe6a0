"""Bytes by hand."""

import asyncio
import json
from typing import Any

# Every header that maas may be told; whatever else a partner sends ends here.
ALLOWED = {
    "host",
    "accept",
    "accept-encoding",
    "user-agent",
    "content-type",
    "content-length",
    "traceparent",
    "x-yarequestid",
    "x-yataxi-client-timeoutms",
    "x-ya-service-ticket",
    "x-maas-partner",
    "x-request-language",
    "x-idempotency-token",
}


def head(edge: Any, line: str, *lines: str) -> bytes:
    """A head with the key of the edge's partner."""
    whole = [f"{line} HTTP/1.1", "Host: edge", f"X-API-Key: {edge.key}", *lines, "", ""]
    return "\r\n".join(whole).encode("utf-8", "surrogateescape")


def request(edge: Any, method: str, target: str, *lines: str, body: bytes = b'{"pass_id":"p"}') -> bytes:
    """A whole request; one that is no GET has a body of JSON."""
    if method == "GET":
        return head(edge, f"GET {target}", *lines)
    framed = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return head(edge, f"{method} {target}", *framed, *lines) + body


async def sent(edge: Any, raw: bytes, **connection: Any) -> tuple[int, dict[str, Any]]:
    """Status and body of the first answer to `raw`, on a connection of its own."""
    reader, writer = await asyncio.open_connection(*address(edge), **connection)
    try:
        writer.write(raw)
        return await answer(reader)
    finally:
        writer.close()


def address(edge: Any) -> tuple[str, int]:
    """Where the edge listens."""
    host, _, port = edge.live.url.removeprefix("http://").partition(":")
    return host, int(port)


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """Status and body of the next answer."""
    async with asyncio.timeout(10):
        found = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(found.partition("content-length: ")[2].partition("\r\n")[0])
        body = await reader.readexactly(size)
    return int(found.split()[1]), json.loads(body)
