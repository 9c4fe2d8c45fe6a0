"""One connection: aiohttp's with the error form on parse errors, and deadlines against slow clients."""

import asyncio
import collections
import fcntl
import http
import os
import struct
import termios
from collections.abc import Mapping
from typing import Any

from aiohttp import EMPTY_PAYLOAD, web
from aiohttp.http_parser import RawRequestMessage

from kit import logs, metrics, scope
from kit.web import answers, api, wire
from kit.web import limits as bounds

_PROMISED = web.RequestKey("promised", dict[str, str])
_CUT = metrics.counter("http_connections_cut_total", "Connections closed by a limit", ("limit",))


def promise(request: web.BaseRequest, headers: Mapping[str, str]) -> None:
    """Has these headers on the answer to `request`, be it a refusal or not."""
    request[_PROMISED] = dict(headers)


class Connection(web.RequestHandler):
    """One connection. The attributes of aiohttp's class used here are held by a test."""

    __slots__ = (
        "_answered",
        "_client",
        "_gone",
        "_head_timer",
        "_is_discarding",
        "_is_half_closed",
        "_limits",
        "_made_at",
        "_payload",
        "_write_timer",
    )

    def __init__(self, manager: "Connections", limits: bounds.Limits, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._limits = limits
        self._made_at = self._loop.time()
        self._answered = 0
        self._payload: Any = EMPTY_PAYLOAD
        self._head_timer: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._client: str | None = None
        self._is_discarding = False
        self._is_half_closed = False

    @property
    def _is_busy(self) -> bool:
        return self._request_count > self._answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        # What the kernel does not take at once is waiting for a slow reader, and `pause_writing` is told of it.
        self.transport.set_write_buffer_limits(high=0)
        if (limit := self._limit_reached()) is not None:
            _CUT.labels(limit).inc()
            self.transport.write(_full())
            self.force_close()

    def _limit_reached(self) -> str | None:
        assert isinstance(self._manager, Connections)
        if len(self._manager.connections) > self._limits.connections:
            return "connections"
        most = self._limits.connections_per_client
        if most is None or not isinstance(self.peername, tuple):
            return None
        self._client = bounds.client_at(self.peername[0])
        self._manager.of_client[self._client] += 1
        return "connections_per_client" if self._manager.of_client[self._client] > most else None

    def pause_writing(self) -> None:
        """Begins to wait for a client that does not read what it asked for."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self._loop.call_later(self._limits.write_s, self._reader_too_slow)

    def resume_writing(self) -> None:
        """The client has read all of it."""
        super().resume_writing()
        self._stop_write_timer()

    def _reader_too_slow(self) -> None:
        self._write_timer = None
        if self.transport is not None:
            _CUT.labels("write").inc()
            self.transport.abort()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def data_received(self, data: bytes) -> None:
        if self._is_discarding:
            return
        count, is_in_head = self._request_count, self._payload.is_eof()
        super().data_received(data)
        if self._request_count != count:
            self._stop_head_timer()
            self._note_last(*self._messages[-1])
        elif data and is_in_head and self._head_timer is None:
            self._head_timer = self._loop.call_later(self._limits.header_s, self._head_too_slow)

    def _note_last(self, message: object, payload: Any) -> None:
        if isinstance(message, RawRequestMessage):
            self._payload = payload
            return
        # The parser is broken from here on; whoever still reads the body before it would wait in vain.
        self._is_discarding = True
        if not self._payload.is_eof():
            self._payload.set_exception(web.RequestPayloadError("body"))

    def eof_received(self) -> bool:  # type: ignore[override]
        """True keeps the connection until what was asked before the client's last byte is answered."""
        self._is_half_closed = True
        if self._gone is not None or not self._is_busy:
            return False
        if not self._payload.is_eof():
            self._payload.set_exception(web.RequestPayloadError("body"))
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        self._stop_write_timer()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        if self._client is not None and isinstance(self._manager, Connections):
            self._manager.forget(self._client)
            self._client = None
        super().connection_lost(exc)

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if self._is_busy:
            self._head_timer = self._loop.call_later(self._limits.header_s, self._head_too_slow)
        else:
            _CUT.labels("header").inc()
            self.force_close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends the answer; a refusal that ends the connection is followed by what lets the client read it."""
        if _PROMISED in request:
            resp.headers.update(request[_PROMISED])
        finished = await super().finish_response(request, resp, start_time)
        if isinstance(resp, answers.Refused) and not resp.keep_alive:
            await self._linger()
        self._answered += 1
        if self._is_half_closed and not self._is_busy:
            self.close()
        return finished

    async def _linger(self) -> None:
        # Closing over unread bytes sends a reset, which can overtake the answer.
        self._is_discarding = True
        if self.transport is not None and not self._is_half_closed:
            self._gone = self._loop.create_future()
            self.transport.write_eof()
            self.transport.resume_reading()
            await asyncio.wait([self._gone], timeout=self._limits.linger_s)
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The error form for what the parser refused; what failed inside was already answered by the pipeline."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        refusal = wire.RequestMalformed(reason="http") if status == 400 else answers.InternalError()
        response = answers.refused(refusal)
        with scope.entered(scope.Scope(operation="unmatched", request_id=os.urandom(16).hex())) as here:
            logs.info("request_malformed", status=response.status, error=type(exc).__name__)
            response.headers["X-YaRequestId"] = here.request_id
        api.REQUESTS.labels("unmatched", "other", response.status).inc()
        response.headers["Server"] = "taxi"
        response.force_close()
        return response

    def leave(self, fresh_s: float) -> None:
        """Closes a connection that has nothing under way; one that has never asked anything gets `fresh_s` for it."""
        is_fresh = self._request_count == 0 and self._loop.time() - self._made_at < fresh_s
        if not (self._is_busy or self._head_timer or is_fresh or _has_unread(self.transport)):
            self.force_close()


class Connections(web.Server):
    """The connections of one listener, and how many of them each client has."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.of_client: collections.Counter[str] = collections.Counter()

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)

    def forget(self, client: str) -> None:
        """One connection of this client has ended."""
        self.of_client[client] -= 1
        if not self.of_client[client]:
            del self.of_client[client]


def _has_unread(transport: asyncio.Transport | None) -> bool:
    if transport is None:
        return False
    waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.FIONREAD, b"\0" * 4)
    return bool(struct.unpack("i", waiting)[0])


def _full() -> bytes:
    response = answers.refused(api.Overloaded())
    assert isinstance(response.body, bytes)
    status = http.HTTPStatus(response.status)
    lines = [f"HTTP/1.1 {status} {status.phrase}", f"Content-Length: {len(response.body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + response.body
