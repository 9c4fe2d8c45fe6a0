"""What is passed on to maas, and what is not."""

import json
from typing import Any

import pytest

from maas_authproxy.proxy import model
from testkit import neighbours

NEW, OLD, MAAS = "/maas-authproxy/v1", "/maas-external/v1", "/maas/v1"
WAYS = [
    ("POST", f"{NEW}/users/create", f"{MAAS}/users/create"),
    ("POST", f"{NEW}/user/create", f"{MAAS}/users/create"),
    ("POST", f"{NEW}/user/register", f"{MAAS}/users/create"),
    ("POST", f"{NEW}/user/update", f"{MAAS}/user/update"),
    ("POST", f"{NEW}/subscription/reserve", f"{MAAS}/subscription/reserve"),
    ("POST", f"{NEW}/subscription/extend", f"{MAAS}/subscription/extend"),
    ("POST", f"{NEW}/subscription/activate", f"{MAAS}/subscription/activate"),
    ("POST", f"{NEW}/subscription/cancel", f"{MAAS}/subscription/cancel"),
    ("POST", f"{NEW}/subscription/info", f"{MAAS}/subscription/info"),
    ("GET", f"{NEW}/subscription/info?maas_user_id=u", f"{MAAS}/subscription/info"),
    ("GET", f"{NEW}/subscription/status?pass_id=p", f"{MAAS}/subscription/status"),
    ("POST", f"{NEW}/available-tariffs", f"{MAAS}/available-tariffs"),
    ("POST", f"{NEW}/available-tariffs/user", f"{MAAS}/available-tariffs/user"),
    ("POST", f"{NEW}/nearest-metro", f"{MAAS}/nearest-metro"),
    ("GET", f"{NEW}/nearest-metro?lat_a=55.7&lon_a=37.6", f"{MAAS}/nearest-metro"),
    ("POST", f"{NEW}/rides/metro", f"{MAAS}/rides/metro"),
]
OLD_WAYS = [
    ("POST", f"{OLD}/user/create", f"{MAAS}/users/create"),
    ("POST", f"{OLD}/available-tariffs", f"{MAAS}/available-tariffs"),
    ("POST", f"{OLD}/available-tariffs/user", f"{MAAS}/available-tariffs/user"),
    ("POST", f"{OLD}/pass/reserve", f"{MAAS}/subscription/reserve"),
    ("POST", f"{OLD}/pass/activate", f"{MAAS}/subscription/activate"),
    ("POST", f"{OLD}/pass/cancel", f"{MAAS}/subscription/cancel"),
    ("POST", f"{OLD}/pass/info", f"{MAAS}/subscription/info"),
    ("GET", f"{OLD}/pass/info?pass_id=p", f"{MAAS}/subscription/info"),
    ("POST", f"{OLD}/nearest-metro", f"{MAAS}/nearest-metro"),
    ("GET", f"{OLD}/nearest-metro?lat_a=55.7&lon_a=37.6", f"{MAAS}/nearest-metro"),
]
RESERVE, INFO, STATUS = f"{NEW}/subscription/reserve", f"{NEW}/subscription/info", f"{NEW}/subscription/status"


def _body(method: str) -> Any:
    return None if method == "GET" else {"pass_id": "p"}


def test_every_line_of_the_table_is_tried() -> None:
    tried = {(method, path.partition("?")[0]) for method, path, _ in WAYS + OLD_WAYS}
    assert tried == {(method, way.path) for way in model.TABLE for method in way.methods}


@pytest.mark.parametrize(("method", "path", "upstream"), WAYS)
async def test_forwards_each_way_to_its_place(edge: Any, method: str, path: str, upstream: str) -> None:
    edge.maas.on(method, upstream, answer={"from": upstream})
    answer = await edge.ask(method, path, _body(method))
    assert (answer.status, answer.body) == (200, {"from": upstream})
    assert [(call.method, call.path) for call in edge.maas.calls()] == [(method, upstream)]


@pytest.mark.parametrize(("method", "path", "upstream"), OLD_WAYS)
async def test_forwards_the_old_names_when_the_config_says_so(edge: Any, method: str, path: str, upstream: str) -> None:
    edge.maas.on(method, upstream, answer={})
    refused = await edge.ask(method, path, _body(method))
    assert (refused.status, refused.code) == (404, "route_unknown")
    assert edge.maas.calls() == []
    edge.partners.set(MAAS_AUTHPROXY_OLD_PATHS=True)
    await edge.reload()
    assert (await edge.ask(method, path, _body(method))).status == 200


ELSEWHERE = [
    ("GET", RESERVE, 405),
    ("GET", f"{NEW}/users/create", 405),
    ("POST", STATUS, 405),
    ("PUT", RESERVE, 405),
    ("DELETE", INFO, 405),
    ("PATCH", INFO, 405),
    ("OPTIONS", INFO, 405),
    ("GET", f"{NEW}/available-tariffs", 405),
    ("GET", f"{NEW}/rides/metro", 405),
    ("POST", f"{NEW}/users/update", 404),
    ("POST", f"{NEW}/check-promocode", 404),
    ("POST", f"{NEW}/shortcut", 404),
    ("POST", f"{NEW}/promocodes/filter", 404),
    ("POST", f"{OLD}/pass/extend", 404),
    ("POST", f"{OLD}/rides/metro", 404),
    ("POST", "/4.0/maas/v1/purchase/start", 404),
    ("POST", f"{NEW}/rides/hold", 404),
    ("POST", f"{MAAS}/subscription/reserve", 404),
    ("POST", "/4.0/maas/v1/subscription/info", 404),
    ("GET", "/", 404),
    ("GET", "/ping", 404),
    ("GET", "/metrics", 404),
    ("GET", "/openapi.json", 404),
]


async def test_knows_nothing_but_its_table(edge: Any) -> None:
    for method, path, status in ELSEWHERE:
        assert (await edge.ask(method, path)).status == status, (method, path)
    assert edge.maas.calls() == []


async def test_answers_no_head(edge: Any) -> None:
    url = f"{edge.live.url}{INFO}?pass_id=p"
    async with edge.live.http.head(url, headers={"X-API-Key": edge.key}) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")
    assert edge.maas.calls() == []


async def test_forwards_a_body_byte_for_byte(edge: Any) -> None:
    edge.maas.on("POST", "/maas/v1/subscription/reserve", answer={})
    raw = '{ "pass_id" : "p",\t"price": 1.50, "имя": "\\u0416", "e": 1E2 }\n'.encode()
    assert (await edge.ask("POST", RESERVE, raw=raw)).status == 200
    call = edge.maas.calls()[0]
    assert call.body == raw
    assert call.headers["Content-Type"] == "application/json"


NOT_JSON = [
    b"",
    b"{",
    b"pass_id=p",
    b'{"pass_id": "p", "pass_id": "q"}',
    b'{"price": NaN}',
    b'{"price": 1e999}',
    b'{"price": 123456789012345678901234567890}',
    b'{"pass_id": "\\u0000"}',
    b'{"pass_id": "\\ud800"}',
    b'{"pass_id": "\xff"}',
    b'\xef\xbb\xbf{"pass_id": "p"}',
    b"[" * 5000,
    b"[" * 5000 + b"]" * 5000,
    b'{"a": 1} {"b": 2}',
    b"{'a': 1}",
]


async def test_refuses_what_is_not_strict_json(edge: Any) -> None:
    for raw in NOT_JSON:
        answer = await edge.ask("POST", RESERVE, raw=raw)
        assert (answer.status, answer.code) == (400, "request_invalid"), raw[:40]
    assert edge.maas.calls() == []


NOT_PLAIN = [
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "application/json, text/html"},
    {"Content-Type": "application/jsonp"},
    {"Content-Type": ""},
    {"Content-Encoding": "gzip"},
]


async def test_takes_plain_json_alone(edge: Any) -> None:
    for headers in NOT_PLAIN:
        answer = await edge.ask("POST", RESERVE, {"pass_id": "p"}, headers=headers)
        assert (answer.status, answer.code) == (415, "content_type_unsupported"), headers
        assert edge.maas.calls() == []


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
async def test_takes_json_however_it_is_spelt(edge: Any, content_type: str) -> None:
    edge.maas.on("POST", "/maas/v1/subscription/reserve", answer={})
    headers = {"Content-Type": content_type}
    assert (await edge.ask("POST", RESERVE, {"pass_id": "p"}, headers=headers)).status == 200


async def test_refuses_a_body_over_64_kib(edge: Any) -> None:
    edge.maas.on("POST", "/maas/v1/subscription/reserve", answer={})
    limit, frame = 64 * 1024, len(b'{"a":""}')
    assert (await edge.ask("POST", RESERVE, {"a": "x" * (limit - frame)})).status == 200
    answer = await edge.ask("POST", RESERVE, {"a": "x" * (limit - frame + 1)})
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert len(edge.maas.calls()) == 1


async def test_encodes_the_query_anew(edge: Any) -> None:
    seen = []

    def answer(call: neighbours.Call) -> Any:
        seen.append(dict(call.query))
        return {}

    edge.maas.on("GET", "/maas/v1/subscription/info", answer=answer)
    assert (await edge.ask("GET", f"{INFO}?pass_id=a%26maas_user_id%3Db%2B%25%D0%B6+c")).status == 200
    assert seen == [{"pass_id": "a&maas_user_id=b+%ж c"}]


BAD_QUERIES = [
    ("GET", f"{INFO}?pass_id=p&debug=1"),
    ("GET", f"{INFO}?PASS_ID=p"),
    ("GET", f"{STATUS}?pass_id=p&maas_user_id=u"),
    ("GET", f"{STATUS}?pass_id=p&pass_id=q"),
    ("GET", f"{STATUS}?pass_id=p%00"),
    ("GET", f"{STATUS}?pass_id=%ff"),
    ("GET", f"{STATUS}?pass_id"),
    ("GET", f"{STATUS}?{'&'.join(f'k{n}=1' for n in range(100))}"),
    ("POST", f"{INFO}?pass_id=p"),
    ("POST", f"{RESERVE}?pass_id=p"),
]


async def test_passes_the_query_keys_of_the_table_alone(edge: Any) -> None:
    for method, path in BAD_QUERIES:
        assert (await edge.ask(method, path, _body(method))).status == 400, path
    assert edge.maas.calls() == []


async def test_names_what_is_wrong_with_a_query_and_repeats_no_odd_name(edge: Any) -> None:
    answer = await edge.ask("GET", f"{STATUS}?pass_id=p&debug=1&%3Cscript%3E=1")
    unknown = ["Unknown field."]
    assert answer.body["details"] == {"fields": {"query.?": unknown, "query.debug": unknown}}


async def test_tells_maas_who_asks_and_nothing_of_the_key(edge: Any) -> None:
    edge.maas.on("POST", "/maas/v1/subscription/reserve", answer={})
    headers = {"X-Idempotency-Token": "t-1", "X-Request-Language": "en", "X-YaRequestId": "request-1"}
    answer = await edge.ask("POST", RESERVE, {"pass_id": "p"}, headers=headers)
    assert answer.headers["X-YaRequestId"] == "request-1"
    call = edge.maas.calls()[0]
    sent = {name: call.headers[name] for name in ("X-Maas-Partner", *headers)}
    assert sent == {"X-Maas-Partner": "vtb"} | headers
    assert call.headers["X-Ya-Service-Ticket"].startswith("eyJ")
    assert edge.key not in str(call)
    assert edge.key.partition(".")[0] not in str(call)


@pytest.mark.parametrize("token", ["", "t" * 129, "with space"])
async def test_refuses_an_odd_idempotency_token(edge: Any, token: str) -> None:
    answer = await edge.ask("POST", RESERVE, {"pass_id": "p"}, headers={"X-Idempotency-Token": token})
    assert (answer.status, answer.code) == (400, "request_invalid")
    assert edge.maas.calls() == []


async def test_gives_maas_the_time_that_is_left(edge: Any) -> None:
    edge.maas.on("GET", "/maas/v1/subscription/status", answer={})
    await edge.ask("GET", f"{STATUS}?pass_id=p", headers={"X-YaTaxi-Client-TimeoutMs": "1500"})
    assert 0 < int(edge.maas.calls()[0].headers["X-YaTaxi-Client-TimeoutMs"]) <= 1500


@pytest.mark.parametrize("status", [200, 400, 404, 409, 429, 500, 503])
async def test_passes_answers_as_they_are(edge: Any, status: int) -> None:
    raw = b'{"code":"some_code",  "message":"\xd0\x96", "details":{"n":1.50}}'
    edge.maas.on(
        "*",
        "/maas/v1/subscription/info",
        raw,
        status=status,
        headers={"X-Should-Retry": "false", "X-Inside": "secret", "Set-Cookie": "a=b"},
    )
    for method, path in (("GET", f"{INFO}?pass_id=p"), ("POST", INFO)):
        answer = await edge.ask(method, path, _body(method))
        assert (answer.status, answer.body) == (status, json.loads(raw))
        assert int(answer.headers["Content-Length"]) == len(raw)
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers["X-Should-Retry"] == "false"
        assert not {"X-Inside", "Set-Cookie"} & set(answer.headers)


async def test_passes_retry_after_back(edge: Any) -> None:
    edge.maas.on("POST", "/maas/v1/subscription/reserve", {"code": "busy"}, status=503, headers={"Retry-After": "7"})
    answer = await edge.ask("POST", RESERVE, {"pass_id": "p"})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")


@pytest.mark.parametrize(("status", "code"), [(401, "ticket_invalid"), (401, "anything"), (403, "caller_not_allowed")])
async def test_does_not_blame_the_partner_for_our_own_ticket(edge: Any, status: int, code: str) -> None:
    edge.maas.on("POST", "/maas/v1/subscription/reserve", {"code": code, "message": "ticket"}, status=status)
    answer = await edge.ask("POST", RESERVE, {"pass_id": "p"})
    assert (answer.status, answer.code) == (502, "service_failed")


async def test_passes_a_refusal_of_the_partner(edge: Any) -> None:
    edge.maas.on("POST", "/maas/v1/subscription/reserve", {"code": "antifraud_refused"}, status=403)
    answer = await edge.ask("POST", RESERVE, {"pass_id": "p"})
    assert (answer.status, answer.code) == (403, "antifraud_refused")
