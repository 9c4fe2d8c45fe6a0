"""The pipeline that every request goes through, top to bottom on this page."""

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import marshmallow as ma
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from kit import errors, identity, logs, metrics, scope, strict_json, trace
from kit.web import answers, routes, wire

MAX_BODY_BYTES = 64 * 1024
BODY_DEADLINE_S = 10.0
DEFAULT_DEADLINE_S = 10.0
_VISIBLE = re.compile(r"[!-~]{1,128}")
_LANGUAGE = re.compile(r"(?i)(ru|en)\b")
_OUTSIDE = "unmatched"

REQUESTS = metrics.counter("http_requests_total", "Requests by route, method and status", ("route", "method", "status"))
SECONDS = metrics.histogram("http_request_seconds", "Time from request to answer, by route", ("route",))
IN_FLIGHT = metrics.gauge("http_requests_in_flight", "Requests that are being answered")


class RouteUnknown(errors.NotFound):
    """There is no such route."""


class MethodNotAllowed(errors.MethodNotAllowed):
    """This route does not take this method."""


class CallerNotAllowed(errors.Forbidden):
    """This caller may not use this route."""


class RequestInvalid(errors.Invalid):
    """The request does not have the shape that this route takes."""


class BodyTooLarge(errors.TooLarge):
    """The body is larger than 64 KiB."""


class BodyTooSlow(errors.Invalid):
    """The body did not arrive in time."""


class ContentTypeUnsupported(errors.Unsupported):
    """Only JSON without a content coding is taken here."""


class DeadlineExceeded(errors.Timeout):
    """The time that the caller gave was spent."""


class Overloaded(errors.Unavailable):
    """Too many requests at once; nothing was done."""


class Authenticator(Protocol):
    """Names the caller of a request or raises an errors.Unauthorized."""

    def __call__(self, request: web.BaseRequest) -> str: ...


ALWAYS = (wire.RequestMalformed, RouteUnknown, MethodNotAllowed, DeadlineExceeded, Overloaded, answers.InternalError)
"""What any route may refuse with, whatever it declares."""
OF_TICKETS = (CallerNotAllowed,)
OF_BODIES = (RequestInvalid, BodyTooLarge, BodyTooSlow, ContentTypeUnsupported)


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
        self._context = context
        self._authenticate = authenticate
        self._say = say
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self.is_draining = False

    @property
    def in_flight(self) -> int:
        """How many requests are being answered now."""
        return self._in_flight

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to `request`, with its metrics and its log line."""
        started = time.perf_counter()
        here = _scope_of(request)
        self._in_flight += 1
        IN_FLIGHT.set(self._in_flight)
        with scope.entered(here):
            response, route = await self._answered(request, here)
            self._in_flight -= 1
            IN_FLIGHT.set(self._in_flight)
            seconds = time.perf_counter() - started
            response.headers["X-YaRequestId"] = here.request_id
            response.headers["Server"] = "taxi"
            if self.is_draining:
                response.force_close()
            REQUESTS.labels(here.operation, request.method if route else "other", response.status).inc()
            SECONDS.labels(here.operation).observe(seconds)
            if route is None or route.is_logged or response.status >= 400:
                logs.info("request", method=request.method, status=response.status, ms=round(seconds * 1e3, 1))
        return response

    async def _answered(
        self, request: web.BaseRequest, here: scope.Scope
    ) -> tuple[web.Response, routes.Route | None]:
        route = None
        try:
            if self._in_flight > self._max_in_flight:
                raise Overloaded
            wire.check(request)
            route = self._route_of(request)
            here.operation = route.path
            return await self._within_deadline(request, route, here), route
        except errors.Refusal as refusal:
            if refusal.kind in (errors.Kind.INTERNAL, errors.Kind.BAD_NEIGHBOUR):
                logs.exception("request_failed")
            return self._refused(refusal, here), route
        except Exception:
            logs.exception("request_failed")
            return self._refused(answers.InternalError(), here), route

    def _refused(self, refusal: errors.Refusal, here: scope.Scope) -> web.Response:
        language = here.language
        response = answers.refused(
            refusal, has_written=here.has_written, say=lambda message: self._say(language, message)
        )
        # Unread bytes of a refused request must not be taken for the next one.
        if isinstance(refusal, (wire.RequestMalformed, BodyTooLarge, BodyTooSlow)):
            response.force_close()
        return response

    def _route_of(self, request: web.BaseRequest) -> routes.Route:
        path = request.message.path.partition("?")[0]
        if (methods := self.table.get(path)) is None:
            raise RouteUnknown
        if (route := methods.get(request.method)) is None:
            raise MethodNotAllowed(allowed=sorted(methods))
        return route

    async def _within_deadline(
        self, request: web.BaseRequest, route: routes.Route, here: scope.Scope
    ) -> web.Response:
        timeout = asyncio.timeout_at(here.deadline)
        try:
            async with timeout:
                call = await self._call(request, route, here)
                return _response(await route.handler(self._context, call), route)
        except TimeoutError:
            if timeout.expired():
                raise DeadlineExceeded from None
            raise

    async def _call(self, request: web.BaseRequest, route: routes.Route, here: scope.Scope) -> routes.Call:
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
            raw_query=request.message.path.partition("?")[2],
        )
        if caller == identity.PASSENGER_GATEWAY:
            call.passenger = identity.passenger(request.headers)
        elif caller == identity.DRIVER_GATEWAY:
            call.driver = identity.driver(request.headers)
        await _load(request, route, call)
        return call


def _scope_of(request: web.BaseRequest) -> scope.Scope:
    headers = request.headers
    request_id = headers.get("X-YaRequestId", "")
    if not _VISIBLE.fullmatch(request_id):
        request_id = uuid.uuid4().hex
    language = _LANGUAGE.match(headers.get("X-Request-Language", ""))
    return scope.Scope(
        operation=_OUTSIDE,
        request_id=request_id,
        deadline=asyncio.get_running_loop().time() + _budget_s(headers.get("X-YaTaxi-Client-TimeoutMs")),
        language=language.group(1).lower() if language else "ru",
        traceparent=trace.continued(headers.get("traceparent")),
    )


def _budget_s(timeout_ms: str | None) -> float:
    if timeout_ms is None or not timeout_ms.isdecimal() or len(timeout_ms) > 7:
        return DEFAULT_DEADLINE_S
    return int(timeout_ms) / 1000


async def _load(request: web.BaseRequest, route: routes.Route, call: routes.Call) -> None:
    if route.is_raw:
        call.raw_body = await _body(request)
        return
    takes_body = request.method != "GET"
    query = wire.query_pairs(call.raw_query)
    loaded = _loaded(route.query, query, "query")
    if not takes_body:
        call.args = loaded
        return
    call.query = loaded
    if route.body is not None:
        _check_content_type(request)
        try:
            call.args = _loaded(route.body, strict_json.loads(await _body(request)), "body")
        except strict_json.Malformed as malformed:
            raise RequestInvalid(reason=f"The body {malformed}.") from None
    elif await _body(request):
        raise RequestInvalid(reason="This route takes no body.")


def _loaded(schema: ma.Schema | None, found: Any, place: str) -> Any:
    if schema is None:
        if found:
            raise RequestInvalid(fields={f"{place}.{name}": ["Unknown field."] for name in list(found)[:10]})
        return None
    try:
        return schema.load(found)
    except ma.ValidationError as invalid:
        raise RequestInvalid(fields=dict(_paths(invalid.messages, place))) from None


def _paths(messages: Any, path: str) -> Iterable[tuple[str, list[str]]]:
    if isinstance(messages, Mapping):
        for name, below in messages.items():
            # Names are the caller's own words: short and printable ones are worth repeating, the rest is not.
            safe = str(name) if re.fullmatch(r"[\w.-]{1,64}", str(name)) else "?"
            yield from _paths(below, path if name == "_schema" else f"{path}.{safe}")
    else:
        yield path, [str(message) for message in messages]


def _check_content_type(request: web.BaseRequest) -> None:
    is_json = request.content_type == "application/json" and (request.charset or "utf-8").lower() in ("utf-8", "utf8")
    if not is_json or request.headers.get("Content-Encoding", "identity") != "identity":
        raise ContentTypeUnsupported


async def _body(request: web.BaseRequest) -> bytes:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise BodyTooLarge
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise BodyTooLarge
                chunks.append(chunk)
    except TimeoutError:
        raise BodyTooSlow from None
    except (web.RequestPayloadError, HttpProcessingError):
        raise wire.RequestMalformed(reason="body") from None
    return b"".join(chunks)


def _response(result: Any, route: routes.Route) -> web.Response:
    match result:
        case answers.Raw():
            return answers.passed(result)
        case answers.Ready():
            return answers.encoded(result.content, result.headers)
        case _:
            return answers.encoded(result if route.answer is None else route.answer.dump(result))
