"""The monitor listener: alive, ready, metrics, and the API's description; the cluster's own tools alone reach it."""

import asyncio
import functools
import html
import json
from collections.abc import Callable, Coroutine, Mapping
from importlib import resources
from typing import Any

import yaml

from kit import errors, metrics
from kit.web import answers, routes

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"></head><body><div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({{url: "/openapi.json", dom_id: "#ui", validatorUrl: null}})</script></body></html>"""
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}

_CHECK_S = 1.0

type_of_check = Callable[[], Coroutine[Any, Any, None]]


class NotReady(errors.Unavailable):
    """The process can't serve yet, or no more."""


class Monitor:
    """What the monitor's routes ask: `checks` by the name of the part, each raising when its part is not ready."""

    def __init__(self, openapi: Mapping[str, Any], checks: Mapping[str, type_of_check]) -> None:
        self.openapi = openapi
        self.checks = checks
        self._running: dict[str, asyncio.Task[None]] = {}

    async def failing(self) -> dict[str, str]:
        """The parts that are not ready, each with its reason in a word; known within a second."""
        running = {name: self._started(name) for name in self.checks}
        if running:
            await asyncio.wait(running.values(), timeout=_CHECK_S)
        return {name: reason for name, task in running.items() if (reason := _reason(task)) is not None}

    def _started(self, name: str) -> asyncio.Task[None]:
        # A check that hangs is asked again only when it has come back.
        if name not in self._running or self._running[name].done():
            self._running[name] = asyncio.ensure_future(self.checks[name]())
        return self._running[name]


def _reason(check: asyncio.Task[None]) -> str | None:
    if not check.done():
        check.cancel()
        return "no answer"
    if check.cancelled():
        return "cancelled"
    found = check.exception()
    if isinstance(found, errors.Refusal):
        return found.code
    if isinstance(found, RuntimeError):
        return str(found)
    return None if found is None else type(found).__name__


@routes.get("/ping", callers=None, is_logged=False)
async def ping(ctx: Monitor, call: routes.Call) -> answers.Ready:
    """Alive: the event loop turns."""
    return answers.Ready({})


@routes.get("/ready", callers=None, is_logged=False, refusals=(NotReady,))
async def ready(ctx: Monitor, call: routes.Call) -> answers.Ready:
    """Ready to serve; 503 with the failing parts named otherwise."""
    if failing := await ctx.failing():
        raise NotReady(failing=failing)
    return answers.Ready({"ready": sorted(ctx.checks)})


@routes.get("/metrics", callers=None, is_logged=False)
async def exposition(ctx: Monitor, call: routes.Call) -> answers.Raw:
    """Every metric of the process in the Prometheus text format."""
    return answers.Raw(await asyncio.to_thread(metrics.render), metrics.CONTENT_TYPE)


@routes.get("/openapi.json", callers=None)
async def openapi(ctx: Monitor, call: routes.Call) -> answers.Ready:
    """The API port's description, OpenAPI 3.1."""
    return answers.Ready(ctx.openapi)


@routes.get("/docs", callers=None)
async def docs(ctx: Monitor, call: routes.Call) -> answers.Raw:
    """The same for people, by Swagger UI; nothing is loaded from outside."""
    return answers.Raw(
        _PAGE.format(title=html.escape(ctx.openapi["info"]["title"])).encode(), "text/html; charset=utf-8"
    )


@routes.get("/docs/swagger-ui-bundle.js", callers=None)
async def docs_script(ctx: Monitor, call: routes.Call) -> answers.Raw:
    """Swagger UI's script, from the installed package."""
    return await asyncio.to_thread(_asset, "swagger-ui-bundle.js")


@routes.get("/docs/swagger-ui.css", callers=None)
async def docs_style(ctx: Monitor, call: routes.Call) -> answers.Raw:
    """Swagger UI's style, from the installed package."""
    return await asyncio.to_thread(_asset, "swagger-ui.css")


@functools.cache
def _asset(name: str) -> answers.Raw:
    found = resources.files("swagger_ui") / "static" / name
    return answers.Raw(found.read_bytes(), _TYPES[name.rpartition(".")[2]])


ROUTES = (ping, ready, exposition, openapi, docs, docs_script, docs_style)


def as_yaml(document: Mapping[str, Any]) -> str:
    """The description as the `openapi.yaml` of a service's folder."""
    return yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False, allow_unicode=True, width=120)
