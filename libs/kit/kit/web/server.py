"""The listener: aiohttp's server with the error form on parse errors, deadlines against slow clients, and a stop that
fails no request.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import http
import os
import socket
import struct
import termios
from typing import Any

from aiohttp import EMPTY_PAYLOAD, web
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage

from kit import logs, metrics, scope
from kit.web import answers, api, wire
from kit.web import limits as bounds

_BACKLOG = 1024
_MAX_HEADERS = 100
_LOOK_S = 0.01
_HANDSHAKE_S = 0.05
# A filter of the kernel that drops the first packet of a connection (flags at byte 13: SYN without ACK); without it a
# connection could be taken between the last look at the queue and its end.
_SO_ATTACH_FILTER = 26
_PROGRAM = ctypes.create_string_buffer(
    b"".join(
        struct.pack("HBBI", *step)
        for step in (
            (0x30, 0, 0, 13),
            (0x54, 0, 0, 0x12),
            (0x15, 0, 1, 0x02),
            (0x06, 0, 0, 0),
            (0x06, 0, 0, 0xFFFFFFFF),
        )
    ),
    40,
)
_DEAF = struct.pack("HP", 5, ctypes.addressof(_PROGRAM))
_CUT = metrics.counter("http_connections_cut_total", "Connections closed by a limit", ("limit",))


class SlowParser(RuntimeError):
    """aiohttp runs on its pure-Python parser, which reads some requests differently."""


class PortTaken(RuntimeError):
    """Somebody else listens there."""


class _Protocol(web.RequestHandler):
    """One connection. The attributes of aiohttp's class used here are held by a test."""

    __slots__ = (
        "_answered",
        "_gone",
        "_head_timer",
        "_is_discarding",
        "_is_half_closed",
        "_limits",
        "_made_at",
        "_payload",
    )

    def __init__(self, manager: "_Server", limits: bounds.Limits, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._limits = limits
        self._made_at = self._loop.time()
        self._answered = 0
        self._payload: Any = EMPTY_PAYLOAD
        self._head_timer: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] | None = None
        self._is_discarding = False
        self._is_half_closed = False

    @property
    def _is_busy(self) -> bool:
        return self._request_count > self._answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._manager is not None and len(self._manager._connections) > self._limits.connections:
            _CUT.labels("connections").inc()
            assert self.transport is not None
            self.transport.write(_full())
            self.force_close()

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
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
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


class _Server(web.Server):
    def __call__(self) -> _Protocol:
        return _Protocol(self, loop=self._loop, **self._kwargs)


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


def _reason(error: OSError) -> str | None:
    # Python lengthens the text of some; a name that can't be resolved has a text of its own.
    return error.strerror if error.errno is None or error.errno < 0 else os.strerror(error.errno)


def check_parser() -> None:
    """Refuses to go on without aiohttp's C parser: SlowParser."""
    if HttpRequestParser.__module__ != "aiohttp._http_parser":
        raise SlowParser("aiohttp's C parser is missing; install the wheel, or a compiler")


class Listener:
    """Serves one Api on one port; port 0 takes a free one, told by `port` after `start`."""

    def __init__(self, served: api.Api, host: str, port: int, limits: bounds.Limits | None = None) -> None:
        self.api = served
        self.port = port
        self._host = host
        self._limits = served.limits = limits or bounds.Limits()
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Server | None = None
        self._server: _Server | None = None

    async def start(self) -> None:
        """Listens; PortTaken when the port is not free."""
        check_parser()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._socket = socket.create_server((self._host, self.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise PortTaken(f"can't listen on {self._host}:{self.port}: {_reason(error)}") from None
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]
        self._server = _Server(
            self.api.handle,
            limits=self._limits,
            access_log=None,
            keepalive_timeout=self._limits.idle_s,
            lingering_time=self._limits.linger_s,
            max_headers=_MAX_HEADERS,
            auto_decompress=False,
        )
        loop = asyncio.get_running_loop()
        self._accepting = await loop.create_server(self._server, sock=self._socket, backlog=_BACKLOG)

    @property
    def url(self) -> str:
        """Where it listens, `http://127.0.0.1:8103`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    async def stop(self) -> None:
        """Stops taking connections, finishes the requests at hand (at most `drain_s` seconds), closes the rest."""
        if self._server is None:
            return
        server, self._server = self._server, None
        self.api.is_draining = True
        loop = asyncio.get_running_loop()
        assert self._socket is not None
        # Whoever shakes hands already may finish; whoever knocks from now on is not heard, and refused a second later.
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _DEAF)
            await asyncio.sleep(_HANDSHAKE_S)
        for taken in self._close_door():
            await loop.connect_accepted_socket(server, taken)
        deadline = loop.time() + self._limits.drain_s
        while server.connections and loop.time() < deadline:
            for connection in server.connections:
                connection.leave(self._limits.linger_s)  # type: ignore[attr-defined]
            await asyncio.sleep(_LOOK_S)
        await server.shutdown(self._limits.linger_s)

    def _close_door(self) -> list[socket.socket]:
        """Refuses new connections; those that the kernel has already taken for us are handed over."""
        assert self._socket is not None
        assert self._accepting is not None
        taken: list[socket.socket] = []
        while True:
            try:
                taken.append(self._socket.accept()[0])
            except ConnectionAbortedError:  # one client in the queue has gone
                continue
            except OSError:
                break
        self._socket.shutdown(socket.SHUT_RD)
        self._accepting.close()
        for each in taken:
            each.setblocking(False)
        return taken
