"""Requests made up from the description: no answer that the description does not know."""

import asyncio
from typing import Any

import hypothesis
import schemathesis

from kit import tickets, web
from testkit import descriptions

ROUTES = ("/demo/v1/order", "/demo/v1/find", "/demo/v1/plain")


def fuzzed(document: dict[str, Any], url: str, ticket: str) -> int:
    """How many requests were sent; raises on the first mismatch. Blocks."""
    schema = schemathesis.openapi.from_dict(descriptions.without_security(document))
    sent = 0

    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]

        @hypothesis.given(case=operation.as_strategy() | operation.as_strategy(generation_mode=MODES[1]))
        @hypothesis.settings(
            max_examples=60, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        def fuzz(case: Any) -> None:
            nonlocal sent
            sent += 1
            case.call_and_validate(base_url=url, headers={tickets.HEADER: ticket}, timeout=5)

        fuzz()
    return sent


MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


async def test_finds_no_mismatch(demo: Any) -> None:
    handlers = {route.handler: None for methods in demo.api.table.values() for route in methods.values()}
    document = web.document("demo", "Orders", [each for each in handlers if web.routes.declared(each).path in ROUTES])
    assert await asyncio.to_thread(fuzzed, document, demo.listener.url, demo.ticket()) >= 100
