"""Passing a request on, and judging what comes back."""

import json
import urllib.parse
from typing import Any, NoReturn

from clients import maas as maas_client
from kit import errors, http_client, logs, web
from maas_authproxy.proxy import model

_UNAUTHORIZED = web.answers.STATUS[errors.Kind.UNAUTHORIZED]
_FORBIDDEN = web.answers.STATUS[errors.Kind.FORBIDDEN]


async def forward(*, maas: maas_client.Maas, asked: model.Asked) -> http_client.Raw:
    """The answer of maas, known to be JSON; ServiceUnavailable, ServiceTimeout, ServiceFailed."""
    try:
        answer = await maas.forward(
            asked.method,
            asked.way.upstream,
            operation=asked.way.operation,
            is_read=asked.way.is_read,
            body=asked.body,
            query=urllib.parse.urlencode(asked.query),
            headers=_headers(asked),
        )
    except http_client.NeighbourUnavailable as failure:
        raise model.ServiceUnavailable from failure
    except http_client.NeighbourTimeout as failure:
        raise model.ServiceTimeout from failure
    except http_client.Failure as failure:
        raise model.ServiceFailed from failure
    content = _content(answer)
    # These two speak of our own ticket, and would tell the partner that its key is bad.
    if answer.status == _UNAUTHORIZED or (answer.status == _FORBIDDEN and _code(content) == "caller_not_allowed"):
        logs.error("maas_refuses_us", status=answer.status, code=_code(content))
        raise model.ServiceFailed
    return answer


def _headers(asked: model.Asked) -> dict[str, str]:
    """What maas is told beside trace, request id, deadline and our own ticket, which kit puts on."""
    headers = {"X-Maas-Partner": asked.partner, "X-Request-Language": asked.language}
    if asked.body is not None:
        headers["Content-Type"] = "application/json"
    if asked.idempotency_token is not None:
        headers["X-Idempotency-Token"] = asked.idempotency_token
    return headers


def _content(answer: http_client.Raw) -> Any:
    if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise model.ServiceFailed
    try:
        return json.loads(answer.body, parse_constant=_no_json)
    except (ValueError, RecursionError):
        raise model.ServiceFailed from None


def _no_json(_: str) -> NoReturn:
    raise ValueError


def _code(content: Any) -> str | None:
    return content.get("code") if isinstance(content, dict) else None
