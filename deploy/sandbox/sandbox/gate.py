"""What every call to a neighbour passes: the journal, the ordered fault, the ticket, the contract."""

import asyncio
import contextlib
from typing import Any

from aiohttp import web

from kit import errors, logs
from sandbox import faults, journal, wire, world

_SHOWN = 16_384


async def _unknown(here: world.World, call: wire.Call) -> Any:
    """All that the contract of a neighbour does not have."""
    raise wire.ContractViolation({"path": [f"{call.raw.method} {call.raw.path} is not in the contract"]})


UNKNOWN = wire.Route("*", "/{tail:.*}", _unknown, is_proxy=True)


class Gate:
    """The aiohttp handler of one route of one neighbour."""

    def __init__(self, here: world.World, neighbour: wire.Neighbour, route: wire.Route) -> None:
        self._world = here
        self._neighbour = neighbour
        self._route = route
        self._can_fail = not route.path.startswith("/_")

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Serves one call and notes how it ended."""
        raw = await _read(request)
        entry = self._world.journal.begin(
            self._neighbour.name, request.method, request.path, journal.masked(dict(request.query)), _shown(raw)
        )
        fault = self._world.faults.strike(self._neighbour.name) if self._can_fail else None
        if fault is None:
            response: web.StreamResponse = await self._answer(request, raw, entry)
        else:
            entry.fault = fault.mode
            self._world.journal.count("faults", self._neighbour.name)
            response = await self._fail(request, raw, entry, fault)
        if entry.fault != "down":
            entry.status = response.status
        return response

    async def _fail(
        self, request: web.Request, raw: bytes | None, entry: journal.Entry, fault: faults.Fault
    ) -> web.StreamResponse:
        if fault.mode == "down":
            return faults.reset_connection(request)
        if fault.mode == "slow":
            await asyncio.sleep(fault.delay_ms / 1000)
        instead = faults.before(fault.mode)
        if instead is not None:
            return instead
        response = await self._answer(request, raw, entry, is_refused=fault.mode == "refuse")
        if fault.mode == "garbage":
            return faults.garbage()
        if fault.mode == "truncated":
            return await faults.truncated(request, response)
        return response

    async def _answer(
        self, request: web.Request, raw: bytes | None, entry: journal.Entry, *, is_refused: bool = False
    ) -> web.Response:
        try:
            if raw is None:
                raise wire.ContractViolation({"body": ["too large"]})
            self._check_ticket(request, entry)
            call = wire.load(self._route, request, raw)
            if is_refused and self._route is not UNKNOWN:
                raise wire.Refused(*self._neighbour.refusal)
            return _response(await self._route.handle(self._world, call))
        except wire.ContractViolation as violation:
            self._world.journal.violation(entry, violation.reasons)
            return self._route.refuse(request, wire.violated(violation.reasons))
        except wire.Refused as refusal:
            return self._route.refuse(request, refusal)
        except Exception as failure:
            logs.exception("sandbox_failed", exc=failure, neighbour=self._neighbour.name)
            return wire.error(500, "internal_error", "The sandbox failed.")

    def _check_ticket(self, request: web.Request, entry: journal.Entry) -> None:
        if not self._route.callers:
            return
        try:
            entry.caller = self._world.verifier.verify(request.headers.get(wire.TICKET))
        except errors.Unauthorized:
            self._world.journal.count("tickets_refused", self._neighbour.name)
            raise wire.Refused(401, "ticket_invalid") from None
        if entry.caller not in self._route.callers:
            self._world.journal.count("tickets_refused", self._neighbour.name)
            raise wire.Refused(403, "caller_not_allowed")


class Door:
    """The aiohttp handler of an operators' route: no journal, no faults, no ticket; the same contract check."""

    def __init__(self, here: world.World, route: wire.Route) -> None:
        self._world = here
        self._route = route

    async def __call__(self, request: web.Request) -> web.Response:
        """Serves one request of an operator."""
        try:
            call = wire.load(self._route, request, await request.read())
            return _response(await self._route.handle(self._world, call))
        except wire.ContractViolation as violation:
            return wire.refuse(request, wire.violated(violation.reasons))
        except wire.Refused as refusal:
            return wire.refuse(request, refusal)


@web.middleware
async def error_form(request: web.Request, handler: Any) -> web.StreamResponse:
    """Whatever aiohttp itself refuses goes out in the error form too."""
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except web.HTTPException as refusal:
        code = (refusal.reason or "error").lower().replace(" ", "_")
        return wire.error(refusal.status, code, f"{refusal.reason}.")


async def _read(request: web.Request) -> bytes | None:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None


def _response(result: Any) -> web.Response:
    return result if isinstance(result, web.Response) else wire.answer(result)


def _shown(raw: bytes | None) -> Any:
    if not raw:
        return None
    if len(raw) <= _SHOWN:
        for read in (wire.parse, wire.parse_form):
            with contextlib.suppress(wire.ContractViolation):
                return journal.masked(read(raw))
    return journal.masked(raw[:_SHOWN].decode("utf-8", "replace"))
