"""HTTP in and out: routes by declaration, one pipeline, one error form, two listeners, OpenAPI from the same words.

A request's way: `server` (the socket) → `connection` (bytes to requests) → `api.Api.handle` (the pipeline: `wire`
checks, ticket, identity, `loading`) → the handler → its answer schema, or `answers.refused` → `connection` (bytes).
"""

from kit.web.answers import InternalError, NotModified, Raw, Ready
from kit.web.api import Api
from kit.web.limits import Limits
from kit.web.loading import RequestInvalid
from kit.web.monitor import Monitor
from kit.web.openapi import document
from kit.web.request import Request
from kit.web.routes import NOTHING, Call, Route, get, get_or_post, post, route
from kit.web.server import Listener, PortTaken, SlowParser

__all__ = [
    "NOTHING",
    "Api",
    "Call",
    "InternalError",
    "Limits",
    "Listener",
    "Monitor",
    "NotModified",
    "PortTaken",
    "Raw",
    "Ready",
    "Request",
    "RequestInvalid",
    "Route",
    "SlowParser",
    "document",
    "get",
    "get_or_post",
    "post",
    "route",
]
