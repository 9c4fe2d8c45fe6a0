"""From bytes to arguments: the body within its bounds, strict JSON, and the route's schemas."""

import asyncio
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import marshmallow as ma
from aiohttp import EMPTY_PAYLOAD, web
from aiohttp.http_exceptions import HttpProcessingError

from kit import errors, fields, scope, strict_json
from kit.web import routes, wire
from kit.web.request import Request

MAX_BODY_BYTES = 64 * 1024
_LONGEST_REMEMBERED = 200
_JSON = re.compile(r'application/json\s*(?:;\s*charset\s*=\s*(?:utf-?8|"utf-?8")\s*)?', re.ASCII | re.IGNORECASE)
_PRINTABLE = re.compile(r"[\w.-]{1,64}")


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


def load_query(route: routes.Route, call: routes.Call) -> None:
    """Fills `call` with the query of a GET."""
    raw = call.raw_query
    if len(raw) > _LONGEST_REMEMBERED:
        call.args = _query(route.query, raw)
    else:
        args = _remembered(route.query, raw)
        call.args = args.copy() if type(args) is dict else args


# Apps ask the same again and again, and a schema makes of one query the same each time.
@functools.lru_cache(8192)
def _remembered(schema: ma.Schema | None, raw: str) -> Any:
    return _query(schema, raw)


async def load_body(request: Request, route: routes.Route, call: routes.Call, body_s: float) -> None:
    """Fills `call` with what the route takes of a body, which must arrive within `body_s` seconds, and of the query."""
    if route.is_raw:
        call.read_body = functools.partial(_body, request, body_s)
        return
    call.query = _query(route.query_for(call.method), call.raw_query)
    if route.body is None:
        if await _body(request, body_s):
            raise RequestInvalid(reason="This route takes no body.")
    elif route.body is not routes.NOTHING or request.body is not EMPTY_PAYLOAD:
        check_content_type(request.headers)
        call.args = _loaded(route.body, json_of(await _body(request, body_s)), "body")


def _query(schema: ma.Schema | None, raw: str) -> Any:
    if not raw and schema is None:
        return None
    return _loaded(schema, {name: fields.Word(value) for name, value in wire.query_pairs(raw).items()}, "query")


def json_of(raw: bytes) -> Any:
    """What a body says; RequestInvalid when it is not the JSON that this house reads."""
    try:
        return strict_json.loads(raw)
    except strict_json.Malformed as malformed:
        raise RequestInvalid(reason=f"The body {malformed}.") from None


def _loaded(schema: ma.Schema | None, found: Any, place: str) -> Any:
    if schema is None:
        if found:
            raise RequestInvalid(fields=dict(_paths({name: ["Unknown field."] for name in list(found)[:10]}, place)))
        return None
    try:
        return schema.load(found)
    except ma.ValidationError as invalid:
        raise RequestInvalid(fields=dict(_paths(invalid.messages, place))) from None


def _paths(messages: Any, path: str) -> Iterable[tuple[str, list[str]]]:
    if isinstance(messages, Mapping):
        for name, below in messages.items():
            # Names are the caller's own words: short and printable ones are worth repeating, the rest is not.
            safe = str(name) if _PRINTABLE.fullmatch(str(name)) else "?"
            yield from _paths(below, path if name == "_schema" else f"{path}.{safe}")
    else:
        yield path, [str(message) for message in messages]


def check_content_type(headers: Mapping[str, str]) -> None:
    """Takes plain JSON alone; ContentTypeUnsupported."""
    if not _JSON.fullmatch(headers.get("Content-Type", "")):
        raise ContentTypeUnsupported
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ContentTypeUnsupported


async def _body(request: Request, body_s: float) -> bytes:
    if (request.body_bytes) > MAX_BODY_BYTES:
        raise BodyTooLarge
    try:
        # Most bodies come in one packet with their head.
        if request.body.is_eof():
            return _bounded(request.body.read_nowait())
        return await _slow_body(request, body_s)
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
        raise wire.RequestMalformed(reason="body") from None


async def _slow_body(request: Request, body_s: float) -> bytes:
    if "Expect" in request.headers:
        request.go_on()
    budget_s = scope.remaining_s(body_s)
    raw = bytearray()
    try:
        async with asyncio.timeout(min(body_s, budget_s)):
            async for chunk in request.body.iter_any():
                raw += chunk
                _bounded(raw)
    except TimeoutError:
        raise (BodyTooSlow if body_s <= budget_s else DeadlineExceeded) from None
    return bytes(raw)


T = TypeVar("T", bytes, bytearray)


def _bounded(raw: T) -> T:
    if len(raw) > MAX_BODY_BYTES:
        raise BodyTooLarge
    return raw
