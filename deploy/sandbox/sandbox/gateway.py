"""How a gateway passes a request on: once, with its own ticket, as long as whoever asked is still there."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from sandbox import callers, wire, world

_UP = (
    *("Content-Type", "If-None-Match", "X-Idempotency-Token", "X-YaRequestId"),
    *("X-YaTaxi-Client-TimeoutMs", "traceparent"),
)
_DOWN = ("Content-Type", "Retry-After", "X-YaRequestId", "X-Should-Retry", "ETag", "Cache-Control")
# For what is held until something changes: longer than the 25 s that it may be held.
_WAITING_TIMEOUT_S = 30.0
_FAILURES = {502: "bad_service", 503: "service_unavailable", 504: "service_timeout"}
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Gateway:
    """Whose ticket goes on requests, what of their path stays here, and which service owns what follows."""

    name: str
    strip: str
    owners: tuple[tuple[str, str], ...]

    def owner_of(self, path: str) -> str:
        """The service of this path; 404 when there is none."""
        if "%2e" not in path.lower() and "/.." not in path:
            for prefix, service in self.owners:
                if path.startswith(prefix):
                    return service
        raise wire.Refused(404, "not_found", "No service owns this path.")

    async def pass_on(self, here: world.World, call: wire.Call, identity: Mapping[str, str]) -> web.Response:
        """The service's answer as it is, for the request as it came but with `identity` and none that it claims.

        A read that nobody waits for any more is given up; a change is always seen through.
        """
        url = call.raw.rel_url
        path = url.raw_path.removeprefix(self.strip)
        passed = {name: call.headers[name] for name in _UP if name in call.headers}
        sent = callers.Sent(
            method=call.raw.method,
            path=f"{path}?{url.raw_query_string}" if url.raw_query_string else path,
            headers={**passed, **identity, "Accept-Encoding": "identity"},
            body=call.body,
            timeout_s=_WAITING_TIMEOUT_S if "wait_ms" in call.query else callers.FORWARD_TIMEOUT_S,
        )
        asking = asyncio.ensure_future(here.services.forward(self.name, self.owner_of(path), sent))
        try:
            answer = await (_while_awaited(asking, call.raw) if sent.method == "GET" else asking)
        except callers.NoAnswer as failure:
            raise wire.Refused(failure.status, _FAILURES[failure.status]) from None
        return _shown(answer)


def _shown(answer: callers.Forwarded) -> web.Response:
    headers = {name: answer.headers[name] for name in _DOWN if name in answer.headers}
    if answer.status == 304:
        headers.pop("Content-Type", None)
        return web.Response(status=304, headers=headers)
    return web.Response(status=answer.status, body=answer.body, headers=headers)


async def _while_awaited(asking: asyncio.Future[callers.Forwarded], request: web.Request) -> callers.Forwarded:
    try:
        while not asking.done():
            await asyncio.wait((asking,), timeout=_LOOK_EVERY_S)
            if request.transport is None or request.transport.is_closing():
                raise wire.Refused(499, "client_closed_request")
        return asking.result()
    finally:
        # Also when this handler itself is cancelled: nothing stays open towards the service.
        if asking.cancel():
            with contextlib.suppress(asyncio.CancelledError):
                await asking
