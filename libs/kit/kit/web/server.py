"""The listener: aiohttp's server on one port, and a stop that fails no request."""

import asyncio
import contextlib
import ctypes
import os
import resource
import socket
import struct

from aiohttp.http_parser import HttpRequestParser

from kit.web import api, connections
from kit.web import limits as bounds

_BACKLOG = 1024
_LOOK_S = 0.01
_HANDSHAKE_S = 0.05
_OTHER_FILES = 256
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


class SlowParser(RuntimeError):
    """aiohttp runs on its pure-Python parser, which reads some requests differently."""


class PortTaken(RuntimeError):
    """Somebody else listens there."""


def _reason(error: OSError) -> str | None:
    # Python lengthens the text of some; a name that can't be resolved has a text of its own.
    return error.strerror if error.errno is None or error.errno < 0 else os.strerror(error.errno)


def check_parser() -> None:
    """Refuses to go on without aiohttp's C parser: SlowParser."""
    if HttpRequestParser.__module__ != "aiohttp._http_parser":
        raise SlowParser("aiohttp's C parser is missing; install the wheel, or a compiler")


def _make_room(connections: int) -> None:
    """Lets the process have as many files open as connections need, as far as the system allows."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if now != resource.RLIM_INFINITY and now < wanted:
        wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class Listener:
    """Serves one Api on one port; port 0 takes a free one, told by `port` after `start`."""

    def __init__(self, served: api.Api, host: str, port: int, limits: bounds.Limits | None = None) -> None:
        self.api = served
        self.port = port
        self._host = host
        self._limits = served.limits = limits or bounds.Limits()
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Server | None = None
        self._server: connections.Connections | None = None

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
        _make_room(self._limits.connections)
        self._server = connections.Connections(self.api, self._limits)
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
            for each in server.connections:
                each.leave(self._limits.linger_s)
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
