"""The pipeline that every request goes through, top to bottom on this page."""

import asyncio
import functools
import re
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from aiohttp import web
from multidict import istr

from kit import errors, identity, logs, metrics, scope, trace
from kit.web import answers, deadlines, limits, loading, routes, wire
from kit.web.loading import BodyTooLarge, BodyTooSlow, ContentTypeUnsupported, DeadlineExceeded, RequestInvalid

DEFAULT_DEADLINE_S = 10.0
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
_SERVER = istr("Server")

REQUESTS = metrics.counter("http_requests_total", "Requests by route, method and status", ("route", "method", "status"))
REFUSALS = metrics.counter("http_refusals_total", "Refusals by route and code of the error form", ("route", "code"))
SECONDS = metrics.histogram("http_request_seconds", "Time from request to answer, by route", ("route",))
IN_FLIGHT = metrics.gauge("http_requests_in_flight", "Requests that are being answered on the API port")


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

    def __call__(self, request: web.BaseRequest) -> str: ...


ALWAYS = (wire.RequestMalformed, RouteUnknown, MethodNotAllowed, DeadlineExceeded, Overloaded, answers.InternalError)
"""What any route may refuse with, whatever it declares."""
OF_TICKETS = (CallerNotAllowed,)
OF_QUERIES = (RequestInvalid,)
OF_BODIES = (BodyTooLarge, BodyTooSlow)
OF_JSON = (ContentTypeUnsupported,)


class Api:
    """A set of routes with the context they run in; `handle` answers any request and never raises.

    `authenticate` None lets everybody in (the monitor). At most `max_in_flight` requests run at once; beyond that the
    answer is 503 before anything was done.
    """

    def __init__(
        self,
        handlers: Iterable[routes.type_of_handler],
        context: Any,
        *,
        authenticate: Authenticator | None,
        say: Callable[[str, str], str] = lambda language, message: message,
        max_in_flight: int = 512,
    ) -> None:
        self.table = routes.table(handlers)
        self.limits = limits.Limits()
        self._context = context
        self._authenticate = authenticate
        self._say = say
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._deadlines = deadlines.Deadlines()
        self.is_draining = False
        if authenticate is not None:
            _apis.add(self)

    @property
    def in_flight(self) -> int:
        """How many requests are being answered now."""
        return self._in_flight

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to `request`, with its metrics and its log line."""
        started = time.perf_counter()
        here = _scope_of(request)
        self._in_flight += 1
        try:
            with scope.entered(here):
                response, route = await self._answered(request, here)
                self._finish(request, response, here)
                _tell(request.method, response, route, here, time.perf_counter() - started)
            return response
        except asyncio.CancelledError:
            REQUESTS.labels(here.operation, "other", "cancelled").inc()
            raise
        finally:
            self._in_flight -= 1

    async def _answered(self, request: web.BaseRequest, here: scope.Scope) -> tuple[web.Response, routes.Route | None]:
        route = None
        try:
            if self._in_flight > self._max_in_flight:
                raise Overloaded
            wire.check(request)
            route = self._route_of(request)
            here.operation = route.path
            return await self._handled(request, route, here), route
        except errors.Refusal as refusal:
            if refusal.kind in (errors.Kind.INTERNAL, errors.Kind.BAD_NEIGHBOUR):
                logs.exception("request_failed")
            return self._refused(refusal, here), route
        except asyncio.CancelledError:
            # A library may raise this for reasons of its own; only when somebody cancels us it is to be obeyed.
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
        except Exception:
            logs.exception("request_failed")
        return self._refused(answers.InternalError(), here), route

    def _refused(self, refusal: errors.Refusal, here: scope.Scope) -> web.Response:
        language = here.language
        response = answers.refused(
            refusal, has_written=here.has_written, say=lambda message: self._say(language, message)
        )
        if isinstance(refusal, wire.RequestMalformed):
            response.force_close()
        return response

    def _finish(self, request: web.BaseRequest, response: web.Response, here: scope.Scope) -> None:
        response.headers[_REQUEST_ID] = here.request_id
        response.headers[_SERVER] = "taxi"
        # Bytes of a body that nobody has read must not be taken for the next request, and aiohttp's parser puts the
        # trailers of a chunked body among the headers of the request that follows on the connection.
        if self.is_draining or _CODING in request.headers or not request.content.is_eof():
            response.force_close()

    def _route_of(self, request: web.BaseRequest) -> routes.Route:
        path = request.raw_path.partition("?")[0]
        if (methods := self.table.get(path)) is None:
            raise RouteUnknown
        if (route := methods.get(request.method)) is None:
            raise MethodNotAllowed(allowed=sorted(methods))
        return route

    async def _handled(self, request: web.BaseRequest, route: routes.Route, here: scope.Scope) -> web.Response:
        call = self._call(request, route, here)
        if call.method != "GET" or route.is_raw:
            await loading.load_body(request, route, call, self.limits.body_s)
        else:
            loading.load_query(route, call)
        # The loop's clock is this one, and asking the running loop for it costs more than the rest.
        now = time.monotonic()
        if here.deadline is None:
            here.deadline = now + DEFAULT_DEADLINE_S
        elif here.deadline <= now:
            raise DeadlineExceeded
        with trace.span(route.path):
            result = await self._deadlines.hold(here, route.handler(self._context, call))
        return _response(result, route)

    def _call(self, request: web.BaseRequest, route: routes.Route, here: scope.Scope) -> routes.Call:
        caller = "" if self._authenticate is None else self._authenticate(request)
        if route.callers is not None and caller not in route.callers:
            raise CallerNotAllowed
        call = routes.Call(
            caller=caller,
            headers=request.headers,
            language=here.language,
            method=request.method,
            path=route.path,
            remote_ip=request.remote or "",
            raw_query=request.raw_path.partition("?")[2],
            say=functools.partial(self._say, here.language),
        )
        # A route without callers has another authenticator, whose names are not those of the gateways.
        if route.callers is not None:
            if caller == identity.PASSENGER_GATEWAY:
                call.passenger = identity.passenger(request.headers)
            elif caller == identity.DRIVER_GATEWAY:
                call.driver = identity.driver(request.headers)
        return call


_apis: weakref.WeakSet[Api] = weakref.WeakSet()
IN_FLIGHT.set_function(lambda: sum(api.in_flight for api in list(_apis)))


def _scope_of(request: web.BaseRequest) -> scope.Scope:
    headers = request.headers
    request_id = headers.get(_REQUEST_ID, "")
    if not (0 < len(request_id) <= 128 and identity.is_visible(request_id)):
        request_id = trace.random_id(16)
    budget_s = _budget_s(headers.get(_TIMEOUT))
    return scope.Scope(
        operation=_OUTSIDE,
        request_id=request_id,
        deadline=None if budget_s is None else time.monotonic() + budget_s,
        language=_language(headers.get(_LANGUAGE_HEADER, "")),
        traceparent=trace.continued(headers.get(_PARENT)),
    )


@functools.lru_cache(256)
def _language(header: str) -> str:
    found = _LANGUAGE.match(header)
    return found.group(1).lower() if found else "ru"


def _budget_s(timeout_ms: str | None) -> float | None:
    if timeout_ms is None or not _MILLISECONDS.fullmatch(timeout_ms):
        return None
    return min(int(timeout_ms) / 1000, LONGEST_DEADLINE_S)


def _tell(method: str, response: web.Response, route: routes.Route | None, here: scope.Scope, seconds: float) -> None:
    status = response.status
    REQUESTS.labels(here.operation, method if route else "other", status).inc()
    SECONDS.labels(here.operation).observe(seconds)
    if isinstance(response, answers.Refused):
        REFUSALS.labels(here.operation, response.code).inc()
        logs.info("request", method=method, status=status, code=response.code, ms=round(seconds * 1e3, 1))
    elif route is None or route.is_logged or status >= 400:
        logs.info("request", method=method, status=status, ms=round(seconds * 1e3, 1))


def _response(result: Any, route: routes.Route) -> web.Response:
    match result:
        case answers.Raw():
            return answers.passed(result)
        case answers.Ready():
            return answers.encoded(result.content, result.headers)
        case _:
            return answers.encoded(result if route.answer is None else route.answer.dump(result))
