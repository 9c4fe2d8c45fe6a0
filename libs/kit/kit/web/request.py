"""One request off the wire, before anything of it is believed."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import HttpVersion11, StreamReader
from aiohttp.http_parser import RawRequestMessage
from multidict import istr

from kit.web import answers

_LENGTH = istr("Content-Length")


class Carrier(Protocol):
    """The connection that a request came by."""

    transport: asyncio.Transport | None
    peername: Any

    @property
    def task(self) -> asyncio.Task[None] | None: ...

    def watch(self) -> None: ...


class Request:
    """What the parser read, by plain attributes: a property on each would be a call for every look.

    `raw_path` is the target as it was sent, `body` a stream that may still be on its way. The end of the
    connection ends the work on a request that `is_waiting`.
    """

    __slots__ = (
        "_carrier",
        "body",
        "headers",
        "is_waiting",
        "method",
        "promised",
        "raw_headers",
        "raw_path",
        "version",
    )

    def __init__(self, message: RawRequestMessage, body: StreamReader, carrier: Carrier) -> None:
        self.method: str = message.method
        self.raw_path: str = message.path
        self.version = message.version
        self.headers: Mapping[str, str] = message.headers
        self.raw_headers: tuple[tuple[bytes, bytes], ...] = message.raw_headers
        self.body = body
        self.promised = b""
        self.is_waiting = False
        self._carrier = carrier

    @property
    def task(self) -> asyncio.Task[None]:
        """The work on it; to ask asyncio for the current task would be a system call for each request."""
        task = self._carrier.task
        assert task is not None
        return task

    @property
    def remote(self) -> str:
        """The address of the other end; empty when it has none."""
        peer = self._carrier.peername
        return str(peer[0]) if isinstance(peer, tuple) else ""

    @property
    def body_bytes(self) -> int:
        """How long the body says it is; 0 when it does not say."""
        return int(self.headers.get(_LENGTH, 0))

    @property
    def is_old(self) -> bool:
        """True for HTTP/1.0, where a kept connection is the exception."""
        return self.version is not HttpVersion11

    def promise(self, headers: Mapping[str, str]) -> None:
        """Has these headers on the answer, be it a refusal or not."""
        self.promised = answers.lines(headers)

    def wait(self) -> None:
        """Says that work on it begins which is worth nothing to a client that has gone."""
        self.is_waiting = True
        self._carrier.watch()

    def go_on(self) -> None:
        """Asks for the body of a client that waits to be asked."""
        if self._carrier.transport is not None:
            self._carrier.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
