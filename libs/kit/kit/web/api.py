"""The pipeline that every request goes through, top to bottom on this page."""

import asyncio
import functools
import re
import time
import weakref
from collections.abc import Iterable
from typing import Any, Protocol

from aiohttp import EMPTY_PAYLOAD
from multidict import istr

from kit import errors, identity, logs, scope, trace
from kit.web import answers, counting, deadlines, limits, loading, routes, wire
from kit.web.loading import BodyTooLarge, BodyTooSlow, ContentTypeUnsupported, DeadlineExceeded, RequestInvalid
from kit.web.request import Request

DEFAULT_DEADLINE_S = 10.0
WAITING_DEADLINE_S = 30.0
LONGEST_DEADLINE_S = 60.0
_LANGUAGE = re.compile(r"(?i)(ru|en)\b")
_MILLISECONDS = re.compile(r"[0-9]{1,7}")
_OUTSIDE = "unmatched"
# Names that are looked up in every request; as `istr` they need not be folded each time.
_REQUEST_ID = istr("X-YaRequestId")
_TIMEOUT = istr("X-YaTaxi-Client-TimeoutMs")
_LANGUAGE_HEADER = istr("X-Request-Language")
_PARENT = istr("traceparent")
_CODING = istr("Transfer-Encoding")


class RouteUnknown(errors.NotFound):
    """There is no such route."""


class MethodNotAllowed(errors.MethodNotAllowed):
    """This route does not take this method."""


class CallerNotAllowed(errors.Forbidden):
    """This caller may not use this route."""


class Overloaded(errors.Unavailable):
    """Too many requests at once; nothing was done."""


class Authenticator(Protocol):
    """Names the caller of a request or raises an errors.Unauthorized."""

    def __call__(self, request: Request) -> str: ...


ALWAYS = (wire.RequestMalformed, RouteUnknown, MethodNotAllowed, DeadlineExceeded, Overloaded, answers.InternalError)
"""What any route may refuse with, whatever it declares."""
OF_TICKETS = (CallerNotAllowed,)
OF_QUERIES = (RequestInvalid,)
OF_BODIES = (BodyTooLarge, BodyTooSlow)
OF_JSON = (ContentTypeUnsupported,)


class Api:
    """A set of routes with the context they run in; `handle` answers any request and never raises.

    `authenticate` None lets everybody in (the monitor). At most `max_in_flight` requests run at once, beside those
    that wait (`Limits.waiting`); beyond that the answer is 503 before anything was done.
    """

    def __init__(
        self,
        handlers: Iterable[routes.type_of_handler],
        context: Any,
        *,
        authenticate: Authenticator | None,
        say: routes.type_of_saying = lambda language, message: message,
        max_in_flight: int = 512,
    ) -> None:
        self.table = routes.table(handlers)
        self.limits = limits.Limits()
        self._context = context
        self._authenticate = authenticate
        self._say = say
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._waiting = 0
        self._deadlines = deadlines.Deadlines()
        self.is_draining = False
        if authenticate is not None:
            _apis.add(self)

    @property
    def in_flight(self) -> int:
        """How many requests are being answered now, those that wait aside."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many requests wait now."""
        return self._waiting

    async def handle(self, request: Request) -> answers.Answer:
        """The answer to `request`, with its metrics and its log line."""
        began = time.monotonic()
        here = _scope_of(request, began)
        scope.begin(here)
        route: routes.Route | None = None
        try:
            wire.check(request)
            route = self._route_of(request)
            here.operation = route.path
            answer = await self._admitted(request, route, here)
        except errors.Refusal as refusal:
            if refusal.kind in (errors.Kind.INTERNAL, errors.Kind.BAD_NEIGHBOUR):
                logs.exception("request_failed")
            answer = self._refused(refusal, here)
        except asyncio.CancelledError:
            # A library may raise this for reasons of its own; only when somebody cancels us it is to be obeyed.
            if (task := asyncio.current_task()) is None or task.cancelling():
                counting.REQUESTS.labels(here.operation, counting.OTHER, "cancelled").inc()
                raise
            answer = self._refused(answers.InternalError(), here)
        except Exception:
            logs.exception("request_failed")
            answer = self._refused(answers.InternalError(), here)
        self._finish(request, answer, here)
        counting.tell(request.method, answer, route, here, time.monotonic() - began)
        return answer

    def refuse(self, error: Exception) -> answers.Answer:
        """The answer to bytes that the parser could make no request of."""
        answer = answers.refused(wire.RequestMalformed(reason="http"), is_last=True)
        with scope.entered(scope.Scope(_OUTSIDE, trace.random_id(16))) as here:
            answer.head += answers.lines({_REQUEST_ID: here.request_id})
            logs.info("request_malformed", status=answer.status, error=type(error).__name__)
        counting.REQUESTS.labels(_OUTSIDE, counting.OTHER, answer.status).inc()
        return answer

    def _refused(self, refusal: errors.Refusal, here: scope.Scope) -> answers.Answer:
        return answers.refused(
            refusal,
            has_written=here.has_written,
            is_last=isinstance(refusal, wire.RequestMalformed),
            say=functools.partial(self._say, here.language),
        )

    def _finish(self, request: Request, answer: answers.Answer, here: scope.Scope) -> None:
        answer.head += b"X-YaRequestId: %b\r\n" % here.request_id.encode("ascii")
        # Bytes of a body that nobody has read must not be taken for the next request, and aiohttp's parser puts the
        # trailers of a chunked body among the headers of the request that follows on the connection.
        is_clean = request.body is EMPTY_PAYLOAD or (request.body.is_eof() and _CODING not in request.headers)
        if self.is_draining or not is_clean:
            answer.is_last = True

    def _route_of(self, request: Request) -> routes.Route:
        path = request.raw_path.partition("?")[0]
        if (methods := self.table.get(path)) is None:
            raise RouteUnknown
        if (route := methods.get(request.method)) is None:
            raise MethodNotAllowed(allowed=sorted(methods))
        return route

    async def _admitted(self, request: Request, route: routes.Route, here: scope.Scope) -> answers.Answer:
        if route.is_waiting:
            if self._waiting >= self.limits.waiting:
                raise Overloaded
            self._waiting += 1
            request.wait()
            try:
                return await self._handled(request, route, here)
            finally:
                self._waiting -= 1
        if self._in_flight >= self._max_in_flight:
            raise Overloaded
        self._in_flight += 1
        try:
            return await self._handled(request, route, here)
        finally:
            self._in_flight -= 1

    async def _handled(self, request: Request, route: routes.Route, here: scope.Scope) -> answers.Answer:
        call = self._call(request, route, here)
        if request.method != "GET" or route.is_raw:
            await loading.load_body(request, route, call, self.limits.body_s)
        else:
            loading.load_query(route, call)
        # The loop's clock is this one, and asking the running loop for it costs more than the rest.
        now = time.monotonic()
        if here.deadline is None:
            here.deadline = now + (WAITING_DEADLINE_S if route.is_waiting else DEFAULT_DEADLINE_S)
        elif here.deadline <= now:
            raise DeadlineExceeded
        with trace.span(route.path):
            result = await self._deadlines.hold(here, request.task, route.handler(self._context, call))
        return _answer(result, route, request)

    def _call(self, request: Request, route: routes.Route, here: scope.Scope) -> routes.Call:
        caller = "" if self._authenticate is None else self._authenticate(request)
        if route.callers is not None and caller not in route.callers:
            raise CallerNotAllowed
        call = routes.Call(request, here, caller, self._say)
        # A route without callers has another authenticator, whose names are not those of the gateways.
        if route.callers is not None:
            if caller == identity.PASSENGER_GATEWAY:
                call.passenger = identity.passenger(request.headers)
            elif caller == identity.DRIVER_GATEWAY:
                call.driver = identity.driver(request.headers)
        return call


_apis: weakref.WeakSet[Api] = weakref.WeakSet()
counting.IN_FLIGHT.set_function(lambda: sum(api.in_flight for api in list(_apis)))
counting.WAITING.set_function(lambda: sum(api.waiting for api in list(_apis)))


def _scope_of(request: Request, now: float) -> scope.Scope:
    get = request.headers.get
    request_id = get(_REQUEST_ID, "")
    if not (0 < len(request_id) <= 128 and identity.is_visible(request_id)):
        request_id = trace.random_id(16)
    deadline = None if (budget_s := _budget_s(get(_TIMEOUT))) is None else now + budget_s
    return scope.Scope(_OUTSIDE, request_id, deadline, _language(get(_LANGUAGE_HEADER, "")), trace.taken(get(_PARENT)))


@functools.lru_cache(256)
def _language(header: str) -> str:
    found = _LANGUAGE.match(header)
    return found.group(1).lower() if found else "ru"


@functools.lru_cache(1024)
def _budget_s(timeout_ms: str | None) -> float | None:
    if timeout_ms is None or not _MILLISECONDS.fullmatch(timeout_ms):
        return None
    return min(int(timeout_ms) / 1000, LONGEST_DEADLINE_S)


def _answer(result: Any, route: routes.Route, request: Request) -> answers.Answer:
    match result:
        case answers.Ready(etag=None):
            return answers.encoded(result.content, result.headers)
        case answers.Ready() | answers.NotModified():
            if not route.has_etag:
                raise TypeError(f"{route.path} is not declared with has_etag=True")
            return answers.tagged(result, request.headers.get(routes.ETAG_HEADER, ""))
        case answers.Raw():
            return answers.passed(result)
        case _:
            return answers.encoded(result if route.answer is None else route.answer.dump(result), {})
