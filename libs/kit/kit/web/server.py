"""The listener: aiohttp's server with the error form on parse errors and with deadlines against slow clients."""

import asyncio
import socket
from typing import Any

from aiohttp import web
from aiohttp import web_protocol as protocol
from aiohttp.http_parser import HttpRequestParser

from kit import logs, scope
from kit.web import answers, api, wire

HEADER_DEADLINE_S = 5.0
IDLE_S = 75.0
DRAIN_S = 20.0


class SlowParser(RuntimeError):
    """aiohttp runs on its pure-Python parser, which reads some requests differently."""


class PortTaken(RuntimeError):
    """Somebody else listens there."""


class _Protocol(web.RequestHandler):
    """One connection. The attributes of aiohttp's class used here are held by a test."""

    __slots__ = ("_header_timer",)

    def __init__(self, manager: web.Server, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._stop_header_timer()
        elif self._header_timer is None and not self._request_in_progress:
            self._header_timer = self._loop.call_later(HEADER_DEADLINE_S, self.force_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_header_timer()
        super().connection_lost(exc)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The error form for what the parser refused; what failed inside was already answered by the pipeline."""
        refusal = wire.RequestMalformed(reason="http") if status == 400 else answers.InternalError()
        with scope.entered(scope.Scope(operation="unmatched")):
            logs.info("request_malformed", status=status, error=type(exc).__name__)
        api.REQUESTS.labels("unmatched", "other", status).inc()
        response = answers.refused(refusal)
        response.headers["Server"] = "taxi"
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> protocol.RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


def check_parser() -> None:
    """Refuses to go on without aiohttp's C parser: SlowParser."""
    if HttpRequestParser.__module__ != "aiohttp._http_parser":
        raise SlowParser("aiohttp's C parser is missing; install the wheel, or a compiler")


class Listener:
    """Serves one Api on one port; port 0 takes a free one, told by `port` after `start`."""

    def __init__(self, served: api.Api, host: str, port: int) -> None:
        self.api = served
        self._host = host
        self.port = port
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Listens; PortTaken when the port is not free."""
        check_parser()
        server = _Server(
            self.api.handle,
            access_log=None,
            keepalive_timeout=IDLE_S,
            lingering_time=1.0,
            auto_decompress=False,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=DRAIN_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self.port, backlog=1024).start()
        except OSError as error:
            await self._runner.cleanup()
            raise PortTaken(f"can't listen on {self._host}:{self.port}: {error.strerror}") from None
        for address in self._runner.addresses:
            self.port = int(address[1])

    @property
    def url(self) -> str:
        """Where it listens, `http://127.0.0.1:8103`."""
        host = f"[{self._host}]" if socket.AF_INET6 and ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    async def stop(self) -> None:
        """Stops taking connections, finishes the requests at hand (at most DRAIN_S seconds), closes the rest."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
