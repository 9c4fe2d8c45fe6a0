"""Requests made up from each live service's own description: never a 5xx, never an answer it does not describe."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import hypothesis
import pytest
import schemathesis
from schemathesis import checks

from testkit import descriptions

_MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
_EXAMPLES = 25
_IDENTITY = {
    "X-Yandex-UID": "4000009999",
    "X-YaTaxi-Park-Id": "park-1",
    "X-YaTaxi-Driver-Profile-Id": "driver-1",
}
# Whether a well-formed phone is one, or which of two ids is given, no schema says; refusing those is right.
_BEYOND_SCHEMAS = [checks.positive_data_acceptance]


def _fuzzed(document: dict[str, Any], url: str, stack: Mapping[str, Any]) -> list[int]:
    """How many requests each operation was sent; raises on the first mismatch."""
    results: list[Any] = list(
        schemathesis.openapi.from_dict(descriptions.without_security(document)).get_all_operations()
    )
    found = [result.ok() for result in results]
    return [_fuzzed_operation(each, url, _headers(each.definition.raw, stack)) for each in found]


def _fuzzed_operation(operation: Any, url: str, headers: Mapping[str, str]) -> int:
    sent = 0

    @hypothesis.given(case=operation.as_strategy() | operation.as_strategy(generation_mode=_MODES[1]))
    @hypothesis.settings(
        max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    def fuzz(case: Any) -> None:
        nonlocal sent
        sent += 1
        case.call_and_validate(base_url=url, headers=headers, timeout=10, excluded_checks=_BEYOND_SCHEMAS)

    fuzz()
    return sent


def _headers(operation: Mapping[str, Any], stack: Mapping[str, Any]) -> dict[str, str]:
    callers = re.search(r"Callers: ([\w-]+)", operation.get("description", ""))
    if callers is None:
        return {"X-API-Key": stack["api_keys"]["vtb"]}
    return {"X-Ya-Service-Ticket": stack["tickets"][callers.group(1)], **_IDENTITY}


@pytest.mark.parametrize("service", ["maas", "maas-authproxy", "music"])
async def test_answers_only_what_it_describes(stack: dict[str, Any], service: str) -> None:
    addresses = stack["services"][service]
    async with aiohttp.ClientSession() as http, http.get(addresses["monitor"] + "/openapi.json") as response:
        document = await response.json()
    sent = await asyncio.to_thread(_fuzzed, document, addresses["api"], stack)
    # A route without arguments has but a few requests to be tried.
    assert len(sent) >= len(document["paths"])
    assert min(sent) > 0
    assert sum(count == _EXAMPLES for count in sent) > 0.7 * len(sent)
