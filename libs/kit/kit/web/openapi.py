"""OpenAPI 3.1 from the routes' own declarations, with the error codes that each route can give."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import apispec
import marshmallow as ma
from apispec.ext.marshmallow import MarshmallowPlugin

from kit import errors, fields, identity, tickets
from kit.web import answers, api, routes

_JSON = "application/json"
_ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "message": {"type": "string"},
        "details": {"type": "object"},
    },
}
_ETAG = {"ETag": {"schema": {"type": "string"}}}


def document(
    title: str,
    description: str,
    handlers: Iterable[routes.type_of_handler],
    *,
    api_key_header: str | None = None,
) -> dict[str, Any]:
    """The whole description as plain data, in the order of the routes.

    Callers bring a service ticket, or a key in `api_key_header` where the service has an authenticator of its own.
    """
    plugin = MarshmallowPlugin(schema_name_resolver=lambda schema: _name_of(schema))
    spec = apispec.APISpec(
        title=title, version="1", openapi_version="3.1.0", plugins=[plugin], info={"description": description}
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_types_of_own_fields)  # type: ignore[no-untyped-call]
    spec.components.schema("Error", _ERROR)
    scheme = "ticket" if api_key_header is None else "key"
    header = tickets.HEADER if api_key_header is None else api_key_header
    spec.components.security_scheme(scheme, {"type": "apiKey", "in": "header", "name": header})
    for route in map(routes.declared, handlers):
        for path in route.paths:
            spec.path(path=path, operations={m.lower(): _operation(route, m, path) for m in route.methods})
    found: dict[str, Any] = spec.to_dict()
    return found if api_key_header is None else found | {"security": [{scheme: []}]}


def _name_of(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return str(kind.__name__).removesuffix("Schema")


def _types_of_own_fields(self: Any, field: ma.fields.Field[Any], **kwargs: Any) -> dict[str, Any]:
    match field:
        case fields.Amount():
            return {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?$"}
        case fields.Moment():
            return {"type": "string", "format": "date-time"}
        case fields.Id() | fields.Text():
            return {"pattern": f"^{field.pattern.pattern}$"}
    return {}


def _operation(route: routes.Route, method: str, path: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route, method, path),
        "tags": [_feature(route)],
        "summary": route.summary,
        "responses": _responses(route, method),
    }
    if route.callers is not None:
        operation["security"] = [{"ticket": []}]
        operation["description"] = "Callers: " + ", ".join(route.callers) + "."
    parameters: list[Any] = []
    if (query := route.query_for(method)) is not None:
        parameters.append({"in": "query", "schema": query})
    if route.has_etag:
        parameters.append({"in": "header", "name": "If-None-Match", "schema": {"type": "string"}})
    if parameters:
        operation["parameters"] = parameters
    if method != "GET" and route.body is not None:
        operation["requestBody"] = {
            "required": route.body is not routes.NOTHING,
            "content": {_JSON: {"schema": route.body}},
        }
    return operation


def _feature(route: routes.Route) -> str:
    return ["api", *route.handler.__module__.split(".")[:-1]][-1]


def _operation_id(route: routes.Route, method: str, path: str) -> str:
    alias = [] if path == route.path else [str(route.paths.index(path))]
    return ".".join([_feature(route), route.handler.__name__, method.lower(), *alias])


def _responses(route: routes.Route, method: str) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if route.answer is not None:
        success["content"] = {_JSON: {"schema": route.answer}}
    successes = {"200": success}
    if route.has_etag:
        success["headers"] = _ETAG
        successes["304"] = {"description": "What the client has already is the present one.", "headers": _ETAG}
    by_status: dict[int, set[str]] = defaultdict(set)
    for refusal in _refusals(route, method):
        by_status[answers.STATUS[refusal.kind]].add(refusal.code)
    failures = {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in sorted(codes)),
            "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, codes in sorted(by_status.items())
    }
    return successes | failures


def _refusals(route: routes.Route, method: str) -> set[type[errors.Refusal]]:
    found: set[type[errors.Refusal]] = {*api.ALWAYS, *route.refusals}
    if route.callers is not None:
        found |= {tickets.TicketInvalid, *api.OF_TICKETS}
    if identity.PASSENGER_GATEWAY in (route.callers or ()) or identity.DRIVER_GATEWAY in (route.callers or ()):
        found.add(identity.Unauthorized)
    if not route.is_raw:
        found |= set(api.OF_QUERIES)
    if method != "GET":
        found |= set(api.OF_BODIES if route.body is None else api.OF_BODIES + api.OF_JSON)
    return found
