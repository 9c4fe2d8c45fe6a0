"""Hostile bytes: what two servers could read in two ways, or take for somebody else's word."""

from typing import Any

from .. import wire

STATUS = "/maas-authproxy/v1/subscription/status"
RESERVE = "/maas-authproxy/v1/subscription/reserve"


def _get(edge: Any, target: str, *lines: str) -> bytes:
    head = [f"GET {target} HTTP/1.1", "Host: edge", f"X-API-Key: {edge.key}", *lines]
    return "\r\n".join([*head, "", ""]).encode("utf-8", "surrogateescape")


def _post(edge: Any, *lines: str, body: bytes = b'{"pass_id":"p"}') -> bytes:
    head = [f"POST {RESERVE} HTTP/1.1", "Host: edge", f"X-API-Key: {edge.key}", "Content-Type: application/json"]
    return "\r\n".join([*head, *lines, "", ""]).encode() + body


FOREIGN = [
    "X-Yandex-UID: 4001",
    "X-YANDEX-UID: 4001",
    "X-YaTaxi-UserId: someone",
    "X-YaTaxi-PhoneId: someone",
    "X-YaTaxi-User: personal_phone_id=someone",
    "X-YaTaxi-Pass-Flags: portal",
    "X-YaTaxi-Bound-Uids: 4001",
    "X-YaTaxi-Park-Id: park",
    "X-YaTaxi-Driver-Profile-Id: driver",
    "X-Ya-Service-Ticket: forged",
    "X-Ya-User-Ticket: forged",
    "X-Remote-IP: 10.0.0.1",
    "X-Real-IP: 10.0.0.1",
    "X-Forwarded-For: 10.0.0.1",
    "X-Forwarded-Host: inside",
    "X-Forwarded-Proto: https",
    "Forwarded: for=10.0.0.1",
    "X-Original-URL: /maas/v1/rides/hold",
    "X-Rewrite-URL: /maas/v1/rides/hold",
    "X-HTTP-Method-Override: DELETE",
    "X-Maas-Partner: somebody-else",
    "X-Request-Application: app",
    "Authorization: Bearer x",
    "Proxy-Authorization: Basic x",
    "Cookie: a=b",
    "Connection: close, X-Ya-Service-Ticket, X-Maas-Partner",
    "Keep-Alive: timeout=1",
    "Proxy-Connection: keep-alive",
    "TE: trailers",
    "Trailer: X-Yandex-UID",
    "Via: 1.1 somebody",
    "Range: bytes=0-1",
    "If-None-Match: *",
    "Accept: text/html",
    "Accept-Encoding: gzip",
    "User-Agent: hostile",
    "Max-Forwards: 0",
    "baggage: user=4001",
    "tracestate: a=b",
]


async def test_drops_every_header_that_is_not_on_its_list(edge: Any) -> None:
    edge.maas.on("GET", "/maas/v1/subscription/status", answer={})
    for line in FOREIGN:
        status, _ = await wire.sent(edge, _get(edge, f"{STATUS}?pass_id=p", line))
        assert status == 200, line
        headers = edge.maas.calls()[-1].headers
        assert {name.lower() for name in headers} <= wire.ALLOWED, line
        assert headers["X-Maas-Partner"] == "vtb"
        assert headers["X-Ya-Service-Ticket"].startswith("eyJ")
        assert headers["User-Agent"] == "taxi"
        assert headers["Accept"] == "application/json"
        assert headers["Accept-Encoding"] == "identity"
        assert edge.key not in str(headers)


DOUBTFUL = [
    "X_Yandex_UID: 4001",
    "X-Yandex_UID: 4001",
    "X_API_Key: something",
    "X_Forwarded_For: 10.0.0.1",
    "Content_Length: 5",
    "X-API-Key: vtb-other.key",
    "x-api-key: vtb-other.key",
    "Host: another",
    "Upgrade: h2c",
    "X-Yandex-UID : 4001",
    " X-Yandex-UID: 4001",
    "X-Yandex-UID: 40\x0001",
    "X-Name: ж",
    "Expect: something",
]


async def test_refuses_doubtful_headers(edge: Any) -> None:
    for line in DOUBTFUL:
        status, body = await wire.sent(edge, _get(edge, f"{STATUS}?pass_id=p", line))
        assert (status, body["code"]) == (400, "request_malformed"), line
    assert edge.maas.calls() == []


TARGETS = [
    "/maas-authproxy/v1/subscription/%73tatus?pass_id=p",
    "/maas-authproxy/v1/subscription%2Fstatus?pass_id=p",
    "/maas-authproxy/v1/users/../subscription/status?pass_id=p",
    "/maas-authproxy/v1/%2e%2e/%2e%2e/maas/v1/rides/hold",
    "/maas-authproxy/v1/subscription/status/?pass_id=p",
    "/maas-authproxy/v1/subscription/status/..?pass_id=p",
    "/maas-authproxy//v1/subscription/status?pass_id=p",
    "//maas-authproxy/v1/subscription/status?pass_id=p",
    "//evil.example/maas-authproxy/v1/subscription/status?pass_id=p",
    "/maas-authproxy/v1/subscription/status;a=b?pass_id=p",
    "/maas-authproxy/v1/subscription/status%00?pass_id=p",
    "/maas-authproxy/v1/subscription/status%20?pass_id=p",
    "/maas-authproxy/v1/subscription/status%3Fpass_id=p",
    "/maas-authproxy/v1/subscription/status#?pass_id=p",
    "/maas-authproxy/v1/subscription/status?pass_id=p#a",
    "/MAAS-AUTHPROXY/v1/subscription/status?pass_id=p",
    "/maas-authproxy/V1/subscription/Status?pass_id=p",
    "/maas-authproxy\\v1\\subscription\\status?pass_id=p",
    "/./maas-authproxy/v1/subscription/status?pass_id=p",
    "/maas-authproxy/v1/subscription/statu\u017f?pass_id=p",
    "http://edge/maas-authproxy/v1/subscription/status?pass_id=p",
    "http://evil.example/maas-authproxy/v1/subscription/status?pass_id=p",
    "https://user@evil.example/",
    "maas-authproxy/v1/subscription/status?pass_id=p",
    "*",
    "@evil.example/",
    "/maas/v1/subscription/status?pass_id=p",
    "/maas-authproxy/v1/../../maas/v1/subscription/status?pass_id=p",
]


async def test_matches_paths_byte_for_byte(edge: Any) -> None:
    edge.maas.on("*", "/{rest}", answer={})
    for target in TARGETS:
        status, body = await wire.sent(edge, _get(edge, target))
        assert (status, body["code"]) in {(404, "route_unknown"), (400, "request_malformed")}, target
        assert edge.maas.calls() == []


FRAMINGS = [
    ("Content-Length: 15", "Content-Length: 15"),
    ("Content-Length: 15", "Content-Length: 16"),
    ("Content-Length: 15, 15",),
    ("Content-Length: +15",),
    ("Content-Length: 0x0f",),
    ("Content-Length: 15", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: gzip, chunked",),
    ("Transfer-Encoding: identity",),
    ("Transfer-Encoding: xchunked",),
    ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
]


async def test_refuses_doubtful_framing(edge: Any) -> None:
    edge.maas.on("*", "/{rest}", answer={})
    for lines in FRAMINGS:
        status, body = await wire.sent(edge, _post(edge, *lines))
        assert (status, body["code"]) == (400, "request_malformed"), lines
        assert edge.maas.calls() == []


async def test_sends_a_chunked_body_on_as_one(edge: Any) -> None:
    edge.maas.on("POST", "/maas/v1/subscription/reserve", answer={})
    chunked = b'8\r\n{"pass_i\r\n7\r\nd":"p"}\r\n0\r\n\r\n'
    status, _ = await wire.sent(edge, _post(edge, "Transfer-Encoding: chunked", body=chunked))
    assert status == 200
    call = edge.maas.calls()[0]
    assert call.body == b'{"pass_id":"p"}'
    assert "Transfer-Encoding" not in call.headers


async def test_does_not_take_a_body_for_a_second_request(edge: Any) -> None:
    edge.maas.on("*", "/{rest}", answer={})
    hidden = _get(edge, f"{STATUS}?pass_id=smuggled")
    refused = _get(edge, f"{STATUS}?pass_id=p", f"Content-Length: {len(hidden)}") + hidden
    status, _ = await wire.sent(edge, refused)
    assert status == 400
    assert edge.maas.calls() == []


METHODS = ["TRACE", "CONNECT", "get", "PROPFIND"]


async def test_refuses_odd_methods(edge: Any) -> None:
    for method in METHODS:
        raw = _get(edge, f"{STATUS}?pass_id=p").replace(b"GET", method.encode(), 1)
        status, _ = await wire.sent(edge, raw)
        assert status in (400, 405)
        assert edge.maas.calls() == []
