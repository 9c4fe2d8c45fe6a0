"""How a neighbour is made to fail: what an operator ordered, and what that looks like on the wire.

`down`, `error` and `too_many` fail before anything is done. `slow`, `garbage` and `truncated` do the work and spoil
only the answer, which is the case that idempotency is for. `refuse` answers the neighbour's own kind of "no".
"""

import socket
import struct
from dataclasses import dataclass

from aiohttp import web

from sandbox import wire

MODES = ("ok", "down", "slow", "error", "garbage", "truncated", "too_many", "refuse")
GARBAGE = b"<html><body>502 Bad Gateway</body>"


@dataclass(slots=True)
class Fault:
    """An order to fail: a `share` of the calls, at most `times` of them (None: until it is taken back)."""

    mode: str
    delay_ms: int = 1000
    share: float = 1.0
    times: int | None = None
    _owed: float = 0.0

    def to_wire(self) -> dict[str, object]:
        """As `GET /_faults` shows it."""
        return {"mode": self.mode, "delay_ms": self.delay_ms, "share": self.share, "times": self.times}

    def strikes(self) -> bool:
        """True when this call is to fail; a share of 0.25 strikes every fourth call exactly."""
        if self.times == 0:
            return False
        self._owed += self.share
        if self._owed < 1.0 - 1e-9:
            return False
        self._owed -= 1.0
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The orders in force, one per neighbour."""

    def __init__(self) -> None:
        self._orders: dict[str, Fault] = {}

    def order(self, neighbour: str, fault: Fault) -> None:
        """Replaces what was ordered for `neighbour`; the mode `ok` takes it back."""
        if fault.mode == "ok":
            self._orders.pop(neighbour, None)
        else:
            self._orders[neighbour] = fault

    def clear(self) -> None:
        """Takes every order back."""
        self._orders.clear()

    def strike(self, neighbour: str) -> Fault | None:
        """The fault that this call to `neighbour` meets, None when it is served properly."""
        fault = self._orders.get(neighbour)
        return fault if fault is not None and fault.strikes() else None

    def to_wire(self) -> dict[str, dict[str, object]]:
        """All orders in force, by neighbour."""
        return {name: fault.to_wire() for name, fault in sorted(self._orders.items())}


def before(mode: str) -> web.Response | None:
    """The answer of a fault that happens instead of the work, None for the others."""
    if mode == "error":
        return wire.error(500, "internal_error", "The service failed.")
    if mode == "too_many":
        return wire.error(429, "too_many_requests", "Too many requests.")
    return None


def reset_connection(request: web.Request) -> web.Response:
    """Ends the connection with a TCP reset, as a process that is not there does; the answer goes nowhere."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


def garbage() -> web.Response:
    """200 with something that is not JSON, though it says so."""
    return web.Response(body=GARBAGE, content_type="application/json")


async def truncated(request: web.Request, whole: web.Response) -> web.StreamResponse:
    """Half of the true answer, then the end of the connection, though Content-Length promised all of it."""
    body = whole.body if isinstance(whole.body, bytes) and whole.body else b"{}"
    response = web.StreamResponse(status=whole.status)
    response.content_type = "application/json"
    response.content_length = len(body) + 16
    response.force_close()
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
