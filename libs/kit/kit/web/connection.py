"""One connection: the bytes that come in, one request after the other, the bytes that go out, and a deadline for each.

The parser and the flow control are aiohttp's, what is done with them is ours: its own server makes several objects and
two more tasks' worth of steps for each request than an answer of ours needs.
"""

import asyncio
import collections
from typing import TYPE_CHECKING, Any

from aiohttp import EMPTY_PAYLOAD, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from aiohttp.tcp_helpers import tcp_keepalive

from kit.web import answers, api, patience
from kit.web.request import Request

if TYPE_CHECKING:
    from kit.web import connections

_MAX_HEADERS = 100
_READ_BYTES = 64 * 1024
# Requests that one connection may send ahead; the parser stops at so many, and goes on when half of them are answered.
_AHEAD = 32


class Connection(patience.Patient):
    """One connection of a listener."""

    __slots__ = (
        "_gone",
        "_is_closing",
        "_is_discarding",
        "_is_half_closed",
        "_made_at",
        "_manager",
        "_messages",
        "_payload",
        "_request",
        "_request_count",
        "_task_handler",
        "client",
        "peername",
    )

    def __init__(self, manager: "connections.Connections") -> None:
        super().__init__(manager.loop, manager.limits)
        self._manager = manager
        self._parser = _parser(self, manager.loop)
        self._messages: collections.deque[tuple[RawRequestMessage | HttpProcessingError, StreamReader]]
        self._messages = collections.deque()
        self._payload: StreamReader = EMPTY_PAYLOAD
        self._request: Request | None = None
        self._request_count = 0
        self._task_handler: asyncio.Task[None] | None = None
        self._made_at = self._loop.time()
        self._gone: asyncio.Future[None] | None = None
        self.client: str | None = None
        self._is_closing = False
        self._is_discarding = False
        self._is_half_closed = False
        self.peername: Any = None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The work on the request at hand."""
        return self._task_handler

    @property
    def is_busy(self) -> bool:
        """True while a request is being answered."""
        return self._task_handler is not None

    # -- the connection begins and ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        tcp_keepalive(self.transport)
        self.peername = self.transport.get_extra_info("peername")
        # What the kernel does not take at once is waiting for a slow reader, and `pause_writing` is told of it.
        self.transport.set_write_buffer_limits(high=0)
        if (limit := self._manager.add(self)) is not None:
            patience.CUT.labels(limit).inc()
            self.transport.write(answers.refused(api.Overloaded(), is_last=True).to_wire(b""))
            self.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._is_closing = True
        self._stop_timers()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        self._break_off_body()
        self._end_waiting()
        self._manager.forget(self)

    def eof_received(self) -> bool:
        """True keeps the connection until what was asked before the client's last byte is answered."""
        self._is_half_closed = True
        if self._gone is not None or not self.is_busy:
            return False
        self._break_off_body()
        # Whoever hangs up shows itself by this alone until it is written to, and that is what a waiter does not do.
        self._end_waiting()
        return True

    def close(self) -> None:
        """Ends the connection when what was written has left."""
        self._is_closing = True
        if self.transport is not None:
            self.transport.close()

    def leave(self, fresh_s: float) -> None:
        """Closes a connection that has nothing under way; one that has never asked anything gets `fresh_s` for it."""
        is_fresh = self._request_count == 0 and self._loop.time() - self._made_at < fresh_s
        if not (self.is_busy or self._head_timer or is_fresh or patience.has_unread(self.transport)):
            self.close()

    def _break_off_body(self) -> None:
        if not self._payload.is_eof():
            self._payload.set_exception(web.RequestPayloadError("body"))

    # -- bytes come in

    def data_received(self, data: bytes) -> None:
        if self._is_discarding or self._is_closing:
            return
        is_in_head = self._payload.is_eof()
        assert self._parser is not None
        try:
            messages, _, _ = self._parser.feed_data(data)
        except HttpProcessingError as error:
            # The parser is broken from here on; whoever still reads the body before it would wait in vain.
            self._is_discarding = True
            self._break_off_body()
            messages = [(error, EMPTY_PAYLOAD)]
        if messages:
            self._take(messages)
        elif data and is_in_head:
            self._begin_head()

    def _take(self, messages: Any) -> None:
        self._end_head()
        self._request_count += len(messages)
        self._messages.extend(messages)
        self._payload = messages[-1][1]
        if len(self._messages) >= _AHEAD and not self._buffer_paused:
            self._pause_reading_for_buffer()
        if self._task_handler is None:
            self._begin()

    def _begin(self) -> None:
        message, payload = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        # A task of its own keeps what one request leaves in context variables from the next one.
        self._task_handler = asyncio.Task(
            self._serve(message, payload), loop=self._loop, name="request", context=self._manager.context.copy()
        )
        if self._buffer_paused and len(self._messages) <= _AHEAD // 2:
            self.data_received(b"")
            if len(self._messages) < _AHEAD:
                self._resume_reading_for_buffer()

    # -- answers go out

    async def _serve(self, message: RawRequestMessage | HttpProcessingError, payload: StreamReader) -> None:
        is_kept = False
        try:
            if isinstance(message, RawRequestMessage):
                is_kept = await self._answer(message, payload)
            else:
                await self._send(self._manager.api.refuse(message), b"")
                await self._linger()
        except ConnectionError:
            pass  # the client has gone while it was written to
        finally:
            self._request = self._task_handler = None
            self._go_on(is_kept)

    async def _answer(self, message: RawRequestMessage, payload: StreamReader) -> bool:
        request = self._request = Request(message, payload, self)
        answer = await self._manager.api.handle(request)
        is_kept = not (answer.is_last or message.should_close)
        answer.is_last = not is_kept
        if is_kept and request.is_old:
            request.promised += b"Connection: keep-alive\r\n"
        await self._send(answer, request.promised, is_head=request.method == "HEAD")
        if answer.is_last and (answer.code or not payload.is_eof()):
            await self._linger()
        return is_kept

    async def _send(self, answer: answers.Answer, more: bytes, *, is_head: bool = False) -> None:
        if self.transport is not None:
            self.transport.write(answer.to_wire(more, is_head=is_head))
            if self._paused:
                await self._drain_helper()

    async def _linger(self) -> None:
        # Closing over unread bytes sends a reset, which can overtake the answer.
        self._is_discarding = True
        if self.transport is not None and not self._is_half_closed:
            self._gone = self._loop.create_future()
            self.transport.write_eof()
            self.transport.resume_reading()
            await asyncio.wait([self._gone], timeout=self._limits.linger_s)

    def _go_on(self, is_kept: bool) -> None:
        if self.transport is None:
            self._manager.forget(self)
        elif not is_kept or (self._is_half_closed and not self._messages):
            self.close()
        elif self._messages and not self._is_closing:
            self._begin()
        else:
            self._idle_since = self._loop.time()

    # -- nobody is there any more

    def watch(self) -> None:
        """Ends the waiting of the request at hand when nobody is there any more, now or later."""
        if self.transport is None or self._is_half_closed:
            # Soon, so that what can be answered without waiting is.
            self._loop.call_soon(self._end_waiting)

    def _end_waiting(self) -> None:
        if self._request is not None and self._request.is_waiting and self._task_handler is not None:
            self._task_handler.cancel()


def _parser(carrier: Connection, loop: asyncio.AbstractEventLoop) -> HttpRequestParser:
    return HttpRequestParser(
        carrier,
        loop,
        _READ_BYTES,
        max_headers=_MAX_HEADERS,
        payload_exception=web.RequestPayloadError,
        auto_decompress=False,
        max_msg_queue_size=_AHEAD,
    )
