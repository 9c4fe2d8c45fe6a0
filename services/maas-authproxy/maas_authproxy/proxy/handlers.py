"""The routes of the table; each reads what its line lets through, and nothing else."""

import re
from collections.abc import Mapping
from typing import Any

from kit import http_client, web
from maas_authproxy.audit import actions as audit
from maas_authproxy.audit import model as trail
from maas_authproxy.config import OLD_PATHS
from maas_authproxy.context import Context
from maas_authproxy.keys import actions as keys
from maas_authproxy.keys.model import AddressNotAllowed, ApiKeyInvalid, ScopeMissing
from maas_authproxy.limits.model import RateLimitExceeded
from maas_authproxy.proxy import actions, model, schemas

_PRINTABLE = re.compile(r"[\w.-]{1,64}")
_VISIBLE = re.compile(r"[!-~]{1,128}")
_IDEMPOTENCY = "X-Idempotency-Token"
_CONTENT_TYPE = "application/json; charset=utf-8"
_PASSED_BACK = {"Retry-After": re.compile(r"[0-9]{1,5}"), "X-Should-Retry": re.compile(r"true|false")}
_REFUSALS = (
    ApiKeyInvalid,
    AddressNotAllowed,
    RateLimitExceeded,
    ScopeMissing,
    model.ServiceUnavailable,
    model.ServiceTimeout,
    model.ServiceFailed,
)


def _route(way: model.Way) -> web.routes.type_of_handler:
    async def forward(ctx: Context, call: web.Call) -> web.Raw:
        visit = keys.visit()
        with audit.recorded(ctx.trail.note, visit.who, method=call.method, route=call.path) as outcome:
            _check_access(ctx, visit, way)
            asked, arguments = await _read(call, way)
            outcome.subject = trail.subject_of(arguments)
            answer = await actions.forward(maas=ctx.maas, asked=asked)
            outcome.status = answer.status
        return web.Raw(answer.body, _CONTENT_TYPE, answer.status, _headers_back(answer))

    forward.__name__, forward.__doc__ = way.name, way.summary
    return web.route(
        way.methods,
        way.path,
        callers=None,
        query=schemas.query_of(way),
        body=schemas.ANY if "POST" in way.methods else None,
        refusals=_REFUSALS,
        is_raw=True,
    )(forward)


def _check_access(ctx: Context, visit: keys.Visit, way: model.Way) -> None:
    if way.is_old and not ctx.dynamic.get(OLD_PATHS):
        raise web.api.RouteUnknown
    if visit.partner is None or way.scope not in visit.partner.scopes:
        raise ScopeMissing


async def _read(call: web.Call, way: model.Way) -> tuple[model.Asked, Any]:
    """What is passed on, and the arguments in it as the trail wants them."""
    query = web.wire.query_pairs(call.raw_query)
    known = way.query if call.method == "GET" else ()
    if unknown := query.keys() - set(known):
        names = [name if _PRINTABLE.fullmatch(name) else "?" for name in sorted(unknown)[:10]]
        raise web.RequestInvalid(fields={f"query.{name}": ["Unknown field."] for name in names})
    body = None if call.method == "GET" else await _body(call)
    arguments = query if body is None else web.loading.json_of(body)
    asked = model.Asked(way, call.method, call.caller, call.language, query, body, _idempotency_token(call.headers))
    return asked, arguments


async def _body(call: web.Call) -> bytes:
    web.loading.check_content_type(call.headers)
    return await call.read_body()


def _idempotency_token(headers: Mapping[str, str]) -> str | None:
    token = headers.get(_IDEMPOTENCY)
    if token is not None and not _VISIBLE.fullmatch(token):
        raise web.RequestInvalid(fields={f"headers.{_IDEMPOTENCY}": ["Not 1 to 128 visible ASCII characters."]})
    # A proxy may not pass on what Connection names, and dropping this one would make a repeat a second request.
    if token is not None and _IDEMPOTENCY.lower() in headers.get("Connection", "").lower():
        raise web.RequestInvalid(fields={f"headers.{_IDEMPOTENCY}": ["Named by Connection."]})
    return token


def _headers_back(answer: http_client.Raw) -> dict[str, str]:
    found = {name: answer.headers.get(name, "") for name in _PASSED_BACK}
    return {name: value for name, value in found.items() if _PASSED_BACK[name].fullmatch(value)}


ROUTES = tuple(_route(way) for way in model.TABLE)
