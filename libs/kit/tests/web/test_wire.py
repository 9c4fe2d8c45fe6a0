"""The table of hostile bytes: never accepted, never a 5xx, always the error form."""

import gzip
from typing import Any

import pytest

from kit import fields, metrics, tickets, web
from testkit import hostile

ORDER = "POST /demo/v1/order HTTP/1.1"
FIND = "GET /demo/v1/find?{} HTTP/1.1"
GOOD, JSON, LENGTH, CHUNKED = hostile.GOOD, hostile.JSON, hostile.LENGTH, hostile.CHUNKED


def _target(demo: Any) -> hostile.Target:
    return hostile.Target("/demo/v1/order", "/demo/v1/find", f"{tickets.HEADER}: {demo.ticket()}")


def assert_form(answer: Any, status: int, code: str | None = None) -> None:
    assert (answer.status, answer.code) == (status, code or answer.code)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["server"] == "taxi"
    assert answer.headers["x-yarequestid"]
    assert answer.headers["x-should-retry"] == "false"
    assert set(answer.form) <= {"code", "message", "details"}
    assert isinstance(answer.form["message"], str)


@pytest.mark.parametrize("row", hostile.EVERY_ROW.values(), ids=hostile.EVERY_ROW)
async def test_refuses_the_doubtful_request_and_ends_the_connection(demo: Any, row: Any) -> None:
    # What follows on the connection must not be taken for a request of its own.
    answer = await demo.send(_target(demo).bytes_of(row) + demo.head())
    assert_form(answer, 400, "request_malformed")
    assert answer.is_closed
    assert demo.ctx.handled == 0


@pytest.mark.parametrize("data", hostile.NO_HTTP)
async def test_refuses_what_is_no_http(demo: Any, data: bytes) -> None:
    answer = await demo.send(data)
    assert_form(answer, 400, "request_malformed")
    assert answer.is_closed


@pytest.mark.parametrize(
    "path",
    [
        "/", "/demo", "/demo/v1/plain/", "//demo/v1/plain", "/demo//v1/plain", "/demo/v1/../v1/plain",
        "/./demo/v1/plain", "/demo/v1/%70lain", "/demo%2fv1%2fplain", "/%2e%2e/demo/v1/plain",
        "/demo/v1/plain%00", "/demo/v1/plain;a=b",
        "/DEMO/v1/plain", "/demo/v1/plain%20", "/metrics", "/ready", "/ping", "/docs", "/openapi.json",
        "/demo/v1/plain.json", "/..%c0%af", "/demo/v1/plain%3Fa=b", "//169.254.169.254/latest", "/@demo", "/\\demo\\v1",
    ],
)  # fmt: skip
async def test_knows_no_other_spelling_of_a_path(demo: Any, path: str) -> None:
    answer = await demo.send(demo.head(f"GET {path} HTTP/1.1"), expect_close=False)
    assert_form(answer, 404, "route_unknown")
    assert demo.ctx.handled == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_names_the_methods_that_a_path_takes(demo: Any, method: str) -> None:
    answer = await demo.send(demo.head(f"{method} /demo/v1/plain HTTP/1.1"), expect_close=False)
    assert_form(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


async def test_answers_head_without_a_body(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(demo.head("HEAD /demo/v1/plain HTTP/1.1"))
    head = await wire.reader.readuntil(b"\r\n\r\n")
    await wire.write(demo.head())
    assert head.startswith(b"HTTP/1.1 405")
    assert (await wire.answer()).status == 200


@pytest.mark.parametrize(("body", "kind", "status", "code"), hostile.BODIES.values(), ids=hostile.BODIES)
async def test_refuses_the_body(demo: Any, body: bytes, kind: str, status: int, code: str) -> None:
    lines = [f"Content-Length: {len(body)}"] + ([f"Content-Type: {kind}"] if kind else [])
    answer = await demo.send(demo.head(ORDER, *lines) + body, expect_close=False)
    assert_form(answer, status, code)
    assert demo.ctx.handled == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, identity"])
async def test_unpacks_no_body(demo: Any, coding: str) -> None:
    body = gzip.compress(b" " * 10_000_000)
    data = demo.post(body, "/demo/v1/order", f"Content-Encoding: {coding}")
    assert_form(await demo.send(data, expect_close=False), 415, "content_type_unsupported")


FIELDS: dict[str, tuple[bytes, str]] = {
    "string_for_number": (b'"count": "1"', "body.count"),
    "float_for_number": (b'"count": 1.5', "body.count"),
    "true_for_number": (b'"count": true', "body.count"),
    "null_for_number": (b'"count": null', "body.count"),
    "list_for_number": (b'"count": [1]', "body.count"),
    "too_small": (b'"count": -1', "body.count"),
    "too_large": (b'"count": 101', "body.count"),
    "number_for_uid": (b'"count": 1, "uid": 12', "body.uid"),
    "letters_for_uid": (b'"count": 1, "uid": "12a"', "body.uid"),
    "arabic_digits_for_uid": ('"count": 1, "uid": "١٢"'.encode(), "body.uid"),
    "newline_in_uid": (b'"count": 1, "uid": "12\\n"', "body.uid"),
    "empty_text": (b'"count": 1, "note": ""', "body.note"),
    "long_text": (b'"count": 1, "note": "' + b"a" * 17 + b'"', "body.note"),
    "control_in_text": (b'"count": 1, "note": "a\\u0007"', "body.note"),
    "object_for_text": (b'"count": 1, "note": {}', "body.note"),
    "string_for_latitude": (b'"count": 1, "point": {"lat": "1", "lon": 1}', "body.point.lat"),
    "latitude_out_of_range": (b'"count": 1, "point": {"lat": 90.1, "lon": 1}', "body.point.lat"),
    "true_for_longitude": (b'"count": 1, "point": {"lat": 1, "lon": true}', "body.point.lon"),
    "unknown_in_point": (b'"count": 1, "point": {"lat": 1, "lon": 1, "alt": 1}', "body.point.alt"),
    "float_money": (b'"count": 1, "price": {"amount": 1.5, "currency": "RUB"}', "body.price.amount"),
    "negative_money": (b'"count": 1, "price": {"amount": "-1.00", "currency": "RUB"}', "body.price.amount"),
    "fine_money": (b'"count": 1, "price": {"amount": "1.001", "currency": "RUB"}', "body.price.amount"),
    "exponent_money": (b'"count": 1, "price": {"amount": "1e5", "currency": "RUB"}', "body.price.amount"),
    "nan_money": (b'"count": 1, "price": {"amount": "NaN", "currency": "RUB"}', "body.price.amount"),
    "currency": (b'"count": 1, "price": {"amount": "1.00", "currency": "rub"}', "body.price.currency"),
    "currency_newline": (b'"count": 1, "price": {"amount": "1.00", "currency": "RUB\\n"}', "body.price.currency"),
    "naive_time": (b'"count": 1, "at": "2026-01-31T09:00:00"', "body.at"),
    "date": (b'"count": 1, "at": "2026-01-31"', "body.at"),
    "week_date": (b'"count": 1, "at": "2026-W05-6T09:00:00+00:00"', "body.at"),
    "basic_time": (b'"count": 1, "at": "20260131T090000.000+0000"', "body.at"),
    "spaced_time": (b'"count": 1, "at": "2026-01-31 09:00:00+00:00"', "body.at"),
    "second_offset": (b'"count": 1, "at": "2026-01-31T09:00:00+00:00:30"', "body.at"),
    "day_32": (b'"count": 1, "at": "2026-01-32T09:00:00Z"', "body.at"),
    "year_0": (b'"count": 1, "at": "0001-01-01T00:00:00+23:00"', "body.at"),
    "number_for_time": (b'"count": 1, "at": 1700000000', "body.at"),
    "hostile_name": (b'"count": 1, "<script>": 1', "body.?"),
}


@pytest.mark.parametrize(("found", "path"), FIELDS.values(), ids=FIELDS)
async def test_names_the_field_that_is_wrong(demo: Any, found: bytes, path: str) -> None:
    answer = await demo.send(demo.post(b'{"order_id": "a", ' + found + b"}"), expect_close=False)
    assert_form(answer, 400, "request_invalid")
    assert list(answer.form["details"]["fields"]) == [path]
    assert demo.ctx.handled == 0


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("", "query.order_id"),
        ("order_id=a&more=1", "query.more"),
        ("order_id=a&count=1.0", "query.count"),
        ("order_id=a&count=%31%20", "query.count"),
        ("order_id=a&count=1_0", "query.count"),
        ("order_id=a&count=", "query.count"),
        ("order_id=%D9%A1", "query.order_id"),
        ("order_id=" + "a" * 65, "query.order_id"),
    ],
)
async def test_names_the_argument_that_is_wrong(demo: Any, query: str, path: str) -> None:
    answer = await demo.send(demo.head(FIND.format(query)), expect_close=False)
    assert_form(answer, 400, "request_invalid")
    assert list(answer.form["details"]["fields"]) == [path]


async def test_refuses_arguments_where_none_are_taken(demo: Any) -> None:
    for data in (
        demo.head("GET /demo/v1/plain?a=1 HTTP/1.1"),
        demo.post(GOOD, "/demo/v1/order?a=1"),
        demo.post(GOOD, "/demo/v1/act"),
    ):
        assert_form(await demo.send(data, expect_close=False), 400, "request_invalid")
    assert demo.ctx.handled == 0


async def test_takes_no_body_or_an_empty_object_where_nothing_is_to_be_said(demo: Any) -> None:
    begin = "/demo/v1/begin"
    for good in (demo.head(f"POST {begin} HTTP/1.1", "Content-Length: 0"), demo.post(b"{}", begin)):
        assert (await demo.send(good, expect_close=False)).status == 200
    for bad in (b"[]", b'{"a": 1}', b"null", b" "):
        assert_form(await demo.send(demo.post(bad, begin), expect_close=False), 400, "request_invalid")
    plain = demo.head(f"POST {begin} HTTP/1.1", "Content-Type: text/plain", "Content-Length: 2") + b"{}"
    assert_form(await demo.send(plain, expect_close=False), 415, "content_type_unsupported")
    assert demo.ctx.handled == 2


def test_describes_a_body_that_need_not_be_there() -> None:
    @web.post("/begin", callers=None, body=web.NOTHING)
    async def begin(ctx: Any, call: web.Call) -> None:
        """Begins."""

    @web.post("/say", callers=None, body=fields.Strict())
    async def say(ctx: Any, call: web.Call) -> None:
        """Says."""

    operations = web.document("demo", "Orders", [begin, say])["paths"]
    assert operations["/begin"]["post"]["requestBody"]["required"] is False
    assert operations["/say"]["post"]["requestBody"]["required"] is True


async def test_takes_what_is_meant_well(demo: Any) -> None:
    good = b'{"order_id": "a", "count": 1, "uid": "12", "note": "\\ud83d\\ude80 \\\\u0000", '
    good += b'"at": "2026-01-31T12:00:00+03:00", "point": {"lat": 55.75, "lon": 37},'
    good += b'"price": {"amount": "169.00", "currency": "RUB"}}'
    wire = await demo.connect()
    for kind in ("application/json", "application/json; charset=utf-8", 'APPLICATION/JSON;charset="UTF-8"'):
        lines = (f"Content-Type: {kind}", f"Content-Length: {len(good)}")
        await wire.write(demo.head(ORDER, *lines) + good)
        answer = await wire.answer()
        assert answer.status == 200
        assert answer.form["note"] == "🚀 \\u0000"
        assert answer.form["at"] == "2026-01-31T09:00:00+00:00"
        assert answer.form["price"] == {"amount": "169.00", "currency": "RUB"}
    await wire.write(demo.head(FIND.format("order_id=a%2Fb&count=7&at=2026-01-31T12:00:00%2B03:00")))
    assert (await wire.answer()).form == {"order_id": "a/b", "count": 7, "at": "2026-01-31T09:00:00+00:00"}


async def test_takes_a_route_both_ways(demo: Any) -> None:
    for path in ("/demo/v1/find", "/demo/v1/find-order"):
        got = await demo.send(demo.head(f"GET {path}?order_id=a HTTP/1.1"), expect_close=False)
        posted = await demo.send(demo.post(b'{"order_id": "a"}', path), expect_close=False)
        assert (got.status, posted.status, got.form, posted.form) == (200, 200, {"order_id": "a"}, {"order_id": "a"})
        both = await demo.send(demo.post(b'{"order_id": "a"}', f"{path}?order_id=a"), expect_close=False)
        assert_form(both, 400, "request_invalid")


async def test_takes_a_body_of_64_kib_and_no_byte_more(demo: Any) -> None:
    exact = GOOD + b" " * (65_536 - len(GOOD))
    assert (await demo.send(demo.post(exact), expect_close=False)).status == 200
    chunks = b"10001\r\n" + exact + b" \r\n0\r\n\r\n"
    answer = await demo.send(demo.head(ORDER, JSON, "Transfer-Encoding: chunked") + chunks)
    assert_form(answer, 413, "body_too_large")
    assert answer.is_closed


async def test_takes_a_body_in_chunks_and_ends_the_connection(demo: Any) -> None:
    answer = await demo.send(demo.head(ORDER, JSON, "Transfer-Encoding: chunked") + CHUNKED)
    assert (answer.status, answer.is_closed) == (200, True)


async def test_takes_no_trailer_for_a_header_of_the_next_request(demo: Any) -> None:
    chunked = CHUNKED[:-2] + b"X-Yandex-UID: 666\r\n\r\n"
    first = demo.head(ORDER, JSON, "Transfer-Encoding: chunked") + chunked
    answer = await demo.send(first + demo.head("GET /demo/v1/me HTTP/1.1", caller="passenger-authorizer"))
    assert (answer.status, answer.is_closed) == (200, True)
    assert demo.ctx.seen == []


async def test_answers_pipelined_requests_in_order(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(b"".join(demo.head(f"GET /demo/v1/find?order_id=a{n} HTTP/1.1") for n in range(40)))
    assert [(await wire.answer()).form["order_id"] for _ in range(40)] == [f"a{n}" for n in range(40)]


async def test_asks_for_the_body_only_of_a_request_that_it_takes(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(demo.head(ORDER, JSON, LENGTH, "Expect: 100-continue"))
    assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await wire.write(GOOD)
    assert (await wire.answer()).status == 200
    refused = await demo.send(demo.head(ORDER, JSON, "Content-Length: 65537", "Expect: 100-continue"))
    assert (refused.status, refused.is_closed) == (413, True)


async def test_ends_the_connection_of_a_refused_request_whose_body_is_still_on_its_way(demo: Any) -> None:
    lines = "\r\n".join(["POST /demo/v1/order HTTP/1.1", "Host: demo", JSON, "Content-Length: 500", "", ""])
    answer = await demo.send(lines.encode() + demo.head())
    assert (answer.status, answer.code, answer.is_closed) == (401, "ticket_invalid", True)
    assert demo.ctx.handled == 0


async def test_answers_half_a_body_and_a_closed_half(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(demo.post(GOOD)[:-5])
    wire.writer.write_eof()
    answer = await wire.answer()
    assert_form(answer, 400, "request_malformed")
    assert await wire.is_closed()
    assert demo.ctx.handled == 0


async def test_answers_a_client_that_has_closed_its_half_after_the_request(demo: Any) -> None:
    wire = await demo.connect()
    await wire.write(demo.head() + demo.head())
    wire.writer.write_eof()
    assert [(await wire.answer()).status for _ in range(2)] == [200, 200]
    assert await wire.is_closed()


async def test_tells_a_handler_at_once_that_the_body_became_garbage(demo: Any) -> None:
    head = demo.head(ORDER, JSON, "Transfer-Encoding: chunked")
    answer = await demo.send(head, b"1\r\n{\r\n", b"zz\r\n")
    assert_form(answer, 400, "request_malformed")
    assert answer.is_closed


async def test_counts_what_the_parser_refused(demo: Any) -> None:
    labels = {"route": "unmatched", "method": "other", "status": 400}
    before = metrics.value("http_requests_total", **labels)
    await demo.send(b"garbage\r\n\r\n")
    assert metrics.value("http_requests_total", **labels) == before + 1
