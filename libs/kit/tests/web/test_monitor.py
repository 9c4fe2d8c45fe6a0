"""The monitor port, and the API's description."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import jsonschema_rs
import pytest
import schemathesis
import yaml

from kit import errors, metrics, web
from testkit import until


class Checks:
    """What the parts of the process say; a test sets them."""

    def __init__(self) -> None:
        self.found: dict[str, BaseException | asyncio.Event | None] = {"database": None, "caches": None}
        self.asked: dict[str, int] = {}

    def of(self, name: str) -> Callable[[], Any]:
        async def check() -> None:
            self.asked[name] = self.asked.get(name, 0) + 1
            found = self.found[name]
            if isinstance(found, BaseException):
                raise found
            while found is not None and not found.is_set():
                try:
                    await found.wait()
                except asyncio.CancelledError:
                    continue  # as a driver may do

        return check


@pytest.fixture
def checks() -> Checks:
    return Checks()


@pytest.fixture
def described(demo: Any) -> dict[str, Any]:
    handlers = [route.handler for methods in demo.api.table.values() for route in methods.values()]
    return web.document("demo", "Заказы <b>&", dict.fromkeys(handlers))


@pytest.fixture
async def monitor(checks: Checks, described: dict[str, Any]) -> AsyncIterator[aiohttp.ClientSession]:
    watched = web.Monitor(described, {name: checks.of(name) for name in checks.found})
    listener = web.Listener(web.Api(web.monitor.ROUTES, watched, authenticate=None), "127.0.0.1", 0)
    await listener.start()
    async with aiohttp.ClientSession(listener.url) as session:
        yield session
    await listener.stop()


async def test_is_alive(monitor: aiohttp.ClientSession) -> None:
    async with monitor.get("/ping") as answer:
        assert (answer.status, await answer.json()) == (200, {})


async def test_is_ready_when_every_part_is(monitor: aiohttp.ClientSession) -> None:
    async with monitor.get("/ready") as answer:
        assert (answer.status, await answer.json()) == (200, {"ready": ["caches", "database"]})


async def test_names_the_parts_that_fail(monitor: aiohttp.ClientSession, checks: Checks) -> None:
    checks.found = {"database": errors.Unavailable(), "caches": RuntimeError("not loaded: stations")}
    async with monitor.get("/ready") as answer:
        form = await answer.json()
        assert (answer.status, form["code"], answer.headers["Retry-After"]) == (503, "not_ready", "1")
        assert form["details"]["failing"] == {"database": "unavailable", "caches": "not loaded: stations"}
    checks.found = {"database": ValueError("password=hunter2"), "caches": asyncio.CancelledError()}
    async with monitor.get("/ready") as answer:
        assert (await answer.json())["details"]["failing"] == {"database": "ValueError", "caches": "cancelled"}


async def test_answers_within_a_second_when_a_check_hangs(monitor: aiohttp.ClientSession, checks: Checks) -> None:
    checks.found["database"] = hung = asyncio.Event()
    began = time.monotonic()
    async with monitor.get("/ready") as answer, monitor.get("/ready") as second:
        assert {answer.status, second.status} == {503}
        assert (await answer.json())["details"]["failing"] == {"database": "no answer"}
    assert 0.9 < time.monotonic() - began < 2.5
    assert checks.asked == {"database": 1, "caches": 2}
    hung.set()

    async def is_ready() -> bool:
        async with monitor.get("/ready") as answer:
            return answer.status == 200

    await until(is_ready)


async def test_shows_the_metrics(monitor: aiohttp.ClientSession, demo: Any) -> None:
    await demo.send(demo.head(), expect_close=False)
    async with monitor.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == metrics.CONTENT_TYPE
        text = await answer.text()
    assert re.search(
        r'^http_requests_total\{method="GET",route="/demo/v1/plain",status="200"\} [1-9]', text, re.MULTILINE
    )
    assert re.search(r'^http_request_seconds_bucket\{le="0.001",route="/demo/v1/plain"\} ', text, re.MULTILINE)
    # The scrape itself is no request of the API.
    assert re.search(r"^http_requests_in_flight 0", text, re.MULTILINE)


async def test_shows_the_page_without_anything_from_outside(monitor: aiohttp.ClientSession) -> None:
    async with monitor.get("/docs") as answer:
        page = await answer.text()
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<meta charset="utf-8">' in page
    assert "://" not in page
    assert "validatorUrl: null" in page
    for name, kind, least in (
        ("swagger-ui-bundle.js", "text/javascript", 500_000),
        ("swagger-ui.css", "text/css", 50_000),
    ):
        assert f'"/docs/{name}"' in page
        async with monitor.get(f"/docs/{name}") as asset:
            assert asset.status == 200
            assert asset.content_type == kind
            assert len(await asset.read()) > least


async def test_describes_the_api(monitor: aiohttp.ClientSession, described: dict[str, Any]) -> None:
    async with monitor.get("/openapi.json") as answer:
        assert await answer.json() == described
    assert described["openapi"] == "3.1.0"
    assert described["info"]["description"] == "Заказы <b>&"
    assert described["paths"]["/demo/v1/order"]["post"]["summary"] == "Takes an order (заказ)."
    assert yaml.safe_load(web.monitor.as_yaml(described)) == described
    assert "заказ" in web.monitor.as_yaml(described)


def test_describes_every_way_to_a_route(described: dict[str, Any]) -> None:
    ways = {(path, method) for path, methods in described["paths"].items() for method in methods}
    assert {(path, method) for path in ("/demo/v1/find", "/demo/v1/find-order") for method in ("get", "post")} <= ways
    ids = [operation["operationId"] for methods in described["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    find = described["paths"]["/demo/v1/find"]
    assert {each["name"] for each in find["get"]["parameters"]} == {"order_id", "count", "at"}
    assert "requestBody" not in find["get"]
    assert "requestBody" in find["post"]


def test_names_the_refusals_of_each_route(described: dict[str, Any]) -> None:
    responses = described["paths"]["/demo/v1/order"]["post"]["responses"]
    codes = {status: set(re.findall("`([a-z_]+)`", found["description"])) for status, found in responses.items()}
    assert codes["409"] == {"order_taken"}
    assert codes["400"] == {"body_too_slow", "request_invalid", "request_malformed"}
    assert (codes["401"], codes["403"]) == ({"ticket_invalid"}, {"caller_not_allowed"})
    assert (codes["413"], codes["415"]) == ({"body_too_large"}, {"content_type_unsupported"})
    assert (codes["500"], codes["503"], codes["504"]) == ({"internal_error"}, {"overloaded"}, {"deadline_exceeded"})
    assert "unauthorized" in described["paths"]["/demo/v1/me"]["get"]["responses"]["401"]["description"]
    assert "415" not in described["paths"]["/demo/v1/plain"]["get"]["responses"]


def test_describes_shapes_that_are_json_schemas(described: dict[str, Any]) -> None:
    shapes = described["components"]["schemas"]
    for shape in shapes.values():
        jsonschema_rs.meta.validate(shape)
    assert shapes["Order"]["required"] == ["count", "order_id"]
    assert shapes["Order"]["additionalProperties"] is False
    order = jsonschema_rs.Draft202012Validator(
        {"$ref": "#/components/schemas/Order", "components": {"schemas": shapes}}
    )
    good = {"order_id": "a", "count": 1, "price": {"amount": "1.00", "currency": "RUB"}, "point": {"lat": 1, "lon": 2}}
    assert order.is_valid(good)
    for wrong in ({"count": "1"}, {"count": 101}, {"order_id": "a b"}, {"more": 1}, {"point": {"lat": 91, "lon": 0}}):
        assert not order.is_valid(good | wrong), wrong
    assert not order.is_valid(good | {"price": {"amount": "1.001", "currency": "RUB"}})


def test_is_a_valid_description(described: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(described).validate()


async def test_serves_nothing_of_the_monitor_on_the_api_port(demo: Any) -> None:
    for path in (route.path for route in map(web.routes.declared, web.monitor.ROUTES)):
        answer = await demo.send(demo.head(f"GET {path} HTTP/1.1"), expect_close=False)
        assert (answer.status, answer.code) == (404, "route_unknown")
