"""Routes, declared by decorators above short functions and gathered in the service's `app.py`.

    @web.post("/maas/v1/subscription/reserve", callers=PARTNER, body=RESERVE, answer=RESERVED, refusals=(...,))
    async def reserve(ctx: Context, call: web.Call) -> model.Subscription: ...

Every path is static: it is matched byte for byte against the raw request target, never decoded and never a pattern.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from multidict import istr

from kit import errors, fields, identity, scope
from kit.web import answers
from kit.web.request import Request

ETAG_HEADER = istr("If-None-Match")


class NothingSchema(fields.Strict):
    """Nothing at all, or an empty object."""


NOTHING = NothingSchema()
"""The body of a POST that takes no arguments, from clients that send `{}` as well as from those that send no body."""

_ANSWER_S = 0.1

type_of_handler = Callable[[Any, "Call"], Awaitable[Any]]
type_of_saying = Callable[[str, str], str]


async def _no_body() -> bytes:
    return b""


class Call:
    """One request as a handler sees it: checked, loaded, and with its caller known.

    `args` is what the route's schema made of the body (of the query for GET), `query` what a POST's query schema made
    of its query. `read_body` and `raw_query` are for raw routes, which pass things on.
    """

    __slots__ = ("_here", "_request", "_say", "args", "caller", "driver", "passenger", "path", "query", "read_body")

    def __init__(self, request: Request, here: scope.Scope, caller: str, say: type_of_saying) -> None:
        self.caller = caller
        self.path = here.operation
        self.args: Any = None
        self.query: Any = None
        self.passenger: identity.Passenger | None = None
        self.driver: identity.Driver | None = None
        self.read_body: Callable[[], Awaitable[bytes]] = _no_body
        self._request = request
        self._here = here
        self._say = say

    @property
    def method(self) -> str:
        """`GET` or `POST`, or what else the route declares."""
        return self._request.method

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers, by names of any case."""
        return self._request.headers

    @property
    def raw_query(self) -> str:
        """What follows the `?`, as it was sent."""
        return self._request.raw_path.partition("?")[2]

    @property
    def remote_ip(self) -> str:
        """The address of the other end of the connection."""
        return self._request.remote

    @property
    def language(self) -> str:
        """`ru` or `en`."""
        return self._here.language

    @property
    def remaining_s(self) -> float:
        """Seconds that a handler may wait for something and still answer in the caller's time."""
        return max(0.0, self._here.remaining_s(0.0) - _ANSWER_S)

    @property
    def known_etag(self) -> str | None:
        """The ETag, without quotes, of what the client has: the only one that its If-None-Match names."""
        return answers.known_etag(self._request.headers.get(ETAG_HEADER, ""))

    def say(self, message: str) -> str:
        """The message in the caller's language."""
        return self._say(self._here.language, message)

    def the_passenger(self) -> identity.Passenger:
        """The passenger; identity.Unauthorized when the request has none."""
        if self.passenger is None:
            raise identity.Unauthorized
        return self.passenger

    def the_driver(self) -> identity.Driver:
        """The driver; identity.Unauthorized when the request has none."""
        if self.driver is None:
            raise identity.Unauthorized
        return self.driver


@dataclass(frozen=True, slots=True)
class Route:
    """What a route promises: methods and paths, callers, the shapes in and out, and the facts it may refuse with."""

    methods: tuple[str, ...]
    path: str
    aliases: tuple[str, ...]
    handler: type_of_handler
    callers: tuple[str, ...] | None
    body: ma.Schema | None
    query: ma.Schema | None
    answer: ma.Schema | None
    refusals: tuple[type[errors.Refusal], ...]
    is_raw: bool
    is_logged: bool
    is_waiting: bool
    has_etag: bool

    @property
    def paths(self) -> tuple[str, ...]:
        """The path with its aliases."""
        return (self.path, *self.aliases)

    def query_for(self, method: str) -> ma.Schema | None:
        """The schema of the query; the POST of a route that is taken both ways has its arguments in the body."""
        return self.query if method == "GET" or "GET" not in self.methods else None

    @property
    def summary(self) -> str:
        """The first sentence of the handler's docstring."""
        return " ".join((self.handler.__doc__ or self.handler.__name__).split("\n\n")[0].split())


def route(
    methods: Iterable[str],
    path: str,
    *,
    callers: Iterable[str] | None,
    body: ma.Schema | None = None,
    query: ma.Schema | None = None,
    answer: ma.Schema | None = None,
    refusals: Iterable[type[errors.Refusal]] = (),
    aliases: Iterable[str] = (),
    is_raw: bool = False,
    is_logged: bool = True,
    is_waiting: bool = False,
    has_etag: bool = False,
) -> Callable[[type_of_handler], type_of_handler]:
    """Declares a route; `callers=None` means that the listener authenticates in its own way (or nobody at all).

    `is_raw` leaves body and query unread by schemas; `is_logged=False` counts successes without a log line each.
    `is_waiting` is for a handler that may wait for something to happen, as long as `call.remaining_s` says: such
    requests are not in flight but have a bound of their own, and one whose client has gone is cancelled. `has_etag`
    lets answers carry an ETag, and be 304 for whoever has it already.
    """
    for each in (path, *aliases):
        if not (each.startswith("/") and each.isascii() and "%" not in each and "?" not in each):
            raise ValueError(f"a route is a static ASCII path, not {each!r}")

    def declare(handler: type_of_handler) -> type_of_handler:
        handler.__route__ = Route(  # type: ignore[attr-defined]
            methods=tuple(methods),
            path=path,
            aliases=tuple(aliases),
            handler=handler,
            callers=None if callers is None else tuple(callers),
            body=body,
            query=query,
            answer=answer,
            refusals=tuple(refusals),
            is_raw=is_raw,
            is_logged=is_logged,
            is_waiting=is_waiting,
            has_etag=has_etag,
        )
        return handler

    return declare


def get(path: str, **declared: Any) -> Callable[[type_of_handler], type_of_handler]:
    """A read; its `query` schema makes `call.args`."""
    return route(("GET",), path, **declared)


def post(path: str, **declared: Any) -> Callable[[type_of_handler], type_of_handler]:
    """A write, or a read whose arguments need a body; its `body` schema makes `call.args`."""
    return route(("POST",), path, **declared)


def get_or_post(path: str, **declared: Any) -> Callable[[type_of_handler], type_of_handler]:
    """A read taken both ways: `query` makes `call.args` for GET, `body` for POST, and both make the same."""
    return route(("GET", "POST"), path, **declared)


def declared(handler: type_of_handler) -> Route:
    """The route of a decorated handler; TypeError for a function that is none."""
    found = getattr(handler, "__route__", None)
    if not isinstance(found, Route):
        raise TypeError(f"{handler.__module__}.{handler.__qualname__} is not a route")
    return found


def table(handlers: Iterable[type_of_handler]) -> dict[str, dict[str, Route]]:
    """Path → method → route; ValueError when two routes claim one place."""
    found: dict[str, dict[str, Route]] = {}
    for each in map(declared, handlers):
        for path in each.paths:
            for method in each.methods:
                if method in (methods := found.setdefault(path, {})):
                    raise ValueError(f"two routes for {method} {path}")
                methods[method] = each
    return found
