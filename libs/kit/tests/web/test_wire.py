"""The table of hostile bytes: never accepted, never a 5xx, always the error form."""

import gzip
from typing import Any

import pytest

from kit import metrics, tickets

ORDER = "POST /demo/v1/order HTTP/1.1"
FIND = "GET /demo/v1/find?{} HTTP/1.1"
GOOD = b'{"order_id": "a", "count": 1}'
JSON = "Content-Type: application/json"
LENGTH = f"Content-Length: {len(GOOD)}"
CHUNKED = b"1d\r\n" + GOOD + b"\r\n0\r\n\r\n"


def ordered(*more: str, body: bytes = GOOD) -> tuple[str, tuple[str, ...], bytes]:
    return ORDER, (JSON, *more), body


def got(*more: str, line: str = "GET /demo/v1/plain HTTP/1.1", body: bytes = b"") -> tuple[str, tuple[str, ...], bytes]:
    return line, more, body


# What it is → request line, header lines beside Host and ticket, body. Every one is 400 and ends the connection.
FRAMING = {
    "te_gzip_chunked": ordered("Transfer-Encoding: gzip, chunked", body=CHUNKED),
    "te_identity": ordered("Transfer-Encoding: identity", LENGTH),
    "te_empty": ordered("Transfer-Encoding:", body=b""),
    "te_twice": ordered("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=CHUNKED),
    "te_chunked_chunked": ordered("Transfer-Encoding: chunked, chunked", body=CHUNKED),
    "te_unknown": ordered("Transfer-Encoding: xchunked", body=CHUNKED),
    "te_vertical_tab": ordered("Transfer-Encoding: \x0bchunked", body=CHUNKED),
    "te_with_length": ordered("Transfer-Encoding: chunked", LENGTH, body=CHUNKED),
    "length_with_te": ordered(LENGTH, "Transfer-Encoding: chunked", body=CHUNKED),
    "chunked_on_http_1_0": ("POST /demo/v1/order HTTP/1.0", (JSON, "Transfer-Encoding: chunked"), CHUNKED),
    "chunk_size_garbage": ordered("Transfer-Encoding: chunked", body=b"zz\r\n\r\n"),
    "chunk_size_negative": ordered("Transfer-Encoding: chunked", body=b"-1\r\n\r\n"),
    "chunk_size_huge": ordered("Transfer-Encoding: chunked", body=b"f" * 20 + b"\r\n"),
    "chunk_bare_lf": ordered("Transfer-Encoding: chunked", body=CHUNKED.replace(b"\r\n", b"\n")),
    "chunk_overlong": ordered("Transfer-Encoding: chunked", body=b"2\r\n{}x\r\n0\r\n\r\n"),
    "length_twice": ordered(LENGTH, LENGTH),
    "lengths_differ": ordered(LENGTH, "Content-Length: 1"),
    "length_list": ordered(f"{LENGTH}, {len(GOOD)}"),
    "length_negative": ordered("Content-Length: -1"),
    "length_plus": ordered(f"Content-Length: +{len(GOOD)}"),
    "length_hex": ordered("Content-Length: 0x1d"),
    "length_octal": ordered(f"Content-Length: 0{len(GOOD)}"),
    "length_empty": ordered("Content-Length:"),
    "length_words": ordered("Content-Length: many"),
    "length_spaced": ordered("Content-Length: 2 9"),
    "length_overflow": ordered("Content-Length: 99999999999999999999999"),
    "get_with_length": got("Content-Length: 2", body=b"{}"),
    "get_with_chunks": got("Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "delete_with_length": got("Content-Length: 2", line="DELETE /demo/v1/plain HTTP/1.1", body=b"{}"),
    "smuggled_request": got(f"Content-Length: {len(GOOD)}", body=b"GET /demo/v1/plain HTTP/1.1\r\n"),
    "upgrade_h2c": got("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "upgrade_websocket": got("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "upgrade_without_connection": got("Upgrade: h2c"),
    "expect_something": ordered(LENGTH, "Expect: 200-ok"),
}
HEADERS = {
    "repeated_ordinary": got("X-Yandex-UID: 1", "X-Yandex-UID: 2"),
    "repeated_in_other_case": got("X-Yandex-UID: 1", "x-yandex-uid: 2"),
    "repeated_ticket": got(f"{tickets.HEADER}: a"),
    "repeated_host": got("Host: other"),
    "underscore": got("X_Yandex_UID: 1"),
    "underscore_length": ordered("Content_Length: 0", LENGTH),
    "latin_1_value": got("X-Remark: caf\udce9"),
    "utf_8_value": got("X-Remark: привет"),
    "nul_value": got("X-Remark: a\x00b"),
    "control_value": got("X-Remark: a\x01b"),
    "delete_value": got("X-Remark: a\x7fb"),
    "space_before_colon": got("X-Remark : a"),
    "no_colon": got("X-Remark"),
    "empty_name": got(": a"),
    "name_in_brackets": got("X(Remark): a"),
    "folded": got("X-Remark: a", "  b"),
    "folded_with_tab": got("X-Remark: a", "\tb"),
    "line_9_kb": got("X-Remark: " + "a" * 9000),
    "all_40_kb": got(*(f"X-Remark-{n}: {'a' * 4000}" for n in range(10))),
    "one_mb": got("X-Remark: " + "a" * 1_000_000),
    "two_hundred": got(*(f"X-Remark-{n}: a" for n in range(200))),
    "fifty_thousand": got(*(f"X-R{n}: a" for n in range(50_000))),
}
LINES = {
    "trace": got(line="TRACE /demo/v1/plain HTTP/1.1"),
    "connect": got(line="CONNECT demo:443 HTTP/1.1"),
    "connect_path": got(line="CONNECT /demo/v1/plain HTTP/1.1"),
    "webdav": got(line="PROPFIND /demo/v1/plain HTTP/1.1"),
    "unknown_method": got(line="STEAL /demo/v1/plain HTTP/1.1"),
    "lower_method": got(line="get /demo/v1/plain HTTP/1.1"),
    "http_0_9": got(line="GET /demo/v1/plain HTTP/0.9"),
    "http_0_9_simple": got(line="GET /demo/v1/plain"),
    "http_2_0": got(line="GET /demo/v1/plain HTTP/2.0"),
    "http_1_2": got(line="GET /demo/v1/plain HTTP/1.2"),
    "http_3": got(line="GET /demo/v1/plain HTTP/3"),
    "ftp": got(line="GET /demo/v1/plain FTP/1.1"),
    "http_2_preface": got(line="PRI * HTTP/2.0"),
    "absolute_form": got(line="GET http://demo/demo/v1/plain HTTP/1.1"),
    "absolute_form_elsewhere": got(line="GET http://169.254.169.254/latest/meta-data HTTP/1.1"),
    "absolute_form_https": got(line="GET https://demo/demo/v1/plain HTTP/1.1"),
    "asterisk": got(line="OPTIONS * HTTP/1.1"),
    "authority_form": got(line="GET demo:80 HTTP/1.1"),
    "no_slash": got(line="GET demo/v1/plain HTTP/1.1"),
    "backslash_form": got(line="GET \\demo\\v1\\plain HTTP/1.1"),
    "fragment": got(line="GET /demo/v1/plain#a HTTP/1.1"),
    "nul_in_path": got(line="GET /demo/v1/pl\x00ain HTTP/1.1"),
    "control_in_path": got(line="GET /demo/v1/pl\x01ain HTTP/1.1"),
    "tab_in_path": got(line="GET /demo/v1/pl\tain HTTP/1.1"),
    "utf_8_in_path": got(line="GET /demo/v1/плейн HTTP/1.1"),
    "latin_1_in_path": got(line="GET /demo/v1/pl\udce9 HTTP/1.1"),
    "space_in_path": got(line="GET /demo/v1/pl ain HTTP/1.1"),
    "path_9_kb": got(line=f"GET /demo/v1/plain?{'a' * 9000} HTTP/1.1"),
    "query_bad_escape": got(line=FIND.format("order_id=%zz")),
    "query_cut_escape": got(line=FIND.format("order_id=%4")),
    "query_not_utf_8": got(line=FIND.format("order_id=%ff")),
    "query_overlong_utf_8": got(line=FIND.format("order_id=%c0%80")),
    "query_surrogate": got(line=FIND.format("order_id=%ed%a0%80")),
    "query_nul": got(line=FIND.format("order_id=%00")),
    "query_repeated_key": got(line=FIND.format("order_id=a&order_id=b")),
    "query_repeated_escaped_key": got(line=FIND.format("order_id=a&order%5fid=b")),
    "query_without_value": got(line=FIND.format("order_id")),
    "query_trailing": got(line=FIND.format("order_id=a&")),
    "query_of_100": got(line=FIND.format("&".join(f"a{n}=1" for n in range(100)))),
}


def bytes_of(demo: Any, row: tuple[str, tuple[str, ...], bytes]) -> bytes:
    line, more, body = row
    head = "\r\n".join([line, "Host: demo", f"{tickets.HEADER}: {demo.ticket()}", *more, "", ""])
    return head.encode("utf-8", "surrogateescape") + body


def assert_form(answer: Any, status: int, code: str | None = None) -> None:
    assert (answer.status, answer.code) == (status, code or answer.code)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["server"] == "taxi"
    assert answer.headers["x-yarequestid"]
    assert answer.headers["x-should-retry"] == "false"
    assert set(answer.form) <= {"code", "message", "details"}
    assert isinstance(answer.form["message"], str)


@pytest.mark.parametrize(
    "row", [*FRAMING.values(), *HEADERS.values(), *LINES.values()], ids=[*FRAMING, *HEADERS, *LINES]
)
async def test_refuses_the_doubtful_request_and_ends_the_connection(demo: Any, row: Any) -> None:
    # What follows on the connection must not be taken for a request of its own.
    answer = await demo.send(bytes_of(demo, row) + demo.head())
    assert_form(answer, 400, "request_malformed")
    assert answer.is_closed
    assert demo.ctx.handled == 0


@pytest.mark.parametrize(
    "data",
    [
        b"GET /demo/v1/plain HTTP/1.1\r\n\r\n",
        b"GET /demo/v1/plain HTTP/1.1\nHost: demo\n\n",
        b"GET /demo/v1/plain HTTP/1.1\r\nHost: demo\nX: a\r\n\r\n",
        b"GET /demo/v1/plain HTTP/1.1\r\nHost: demo\rX: a\r\n\r\n",
        b" GET /demo/v1/plain HTTP/1.1\r\nHost: demo\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"a" * 150,
        b"\x00" * 64,
        bytes(range(256)) * 8,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x05\x01\x00",
        "привет\r\n\r\n".encode(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
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


# Body, content type → status, code.
BODIES: dict[str, tuple[bytes, str, int, str]] = {
    "empty": (b"", "application/json", 400, "request_invalid"),
    "spaces": (b"  \r\n", "application/json", 400, "request_invalid"),
    "cut": (GOOD[:-1], "application/json", 400, "request_invalid"),
    "two_values": (GOOD + GOOD, "application/json", 400, "request_invalid"),
    "bom": (b"\xef\xbb\xbf" + GOOD, "application/json", 400, "request_invalid"),
    "utf_16": (GOOD.decode().encode("utf-16"), "application/json", 400, "request_invalid"),
    "latin_1": (b'{"order_id": "a", "count": 1, "note": "\xe9"}', "application/json", 400, "request_invalid"),
    "number": (b"5", "application/json", 400, "request_invalid"),
    "string": (b'"a"', "application/json", 400, "request_invalid"),
    "null": (b"null", "application/json", 400, "request_invalid"),
    "true": (b"true", "application/json", 400, "request_invalid"),
    "list": (b"[" + GOOD + b"]", "application/json", 400, "request_invalid"),
    "repeated_key": (b'{"order_id": "a", "count": 1, "count": 2}', "application/json", 400, "request_invalid"),
    "repeated_2": (b'{"order_id": "a", "count": 1, "c\\u006funt": 2}', "application/json", 400, "request_invalid"),
    "nan": (b'{"order_id": "a", "count": NaN}', "application/json", 400, "request_invalid"),
    "infinity": (b'{"order_id": "a", "count": -Infinity}', "application/json", 400, "request_invalid"),
    "float_overflow": (b'{"order_id": "a", "count": 1e999}', "application/json", 400, "request_invalid"),
    "deep": (b"[" * 30_000, "application/json", 400, "request_invalid"),
    "deep_closed": (b"[" * 30_000 + b"]" * 30_000, "application/json", 400, "request_invalid"),
    "deep_in_field": (b'{"a":' * 500 + b"1" + b"}" * 500, "application/json", 400, "request_invalid"),
    "big_integer": (b'{"order_id": "a", "count": ' + b"9" * 5000 + b"}", "application/json", 400, "request_invalid"),
    "nul": (b'{"order_id": "a\\u0000", "count": 1}', "application/json", 400, "request_invalid"),
    "nul_byte": (b'{"order_id": "a\x00", "count": 1}', "application/json", 400, "request_invalid"),
    "surrogate": (b'{"order_id": "a", "count": 1, "note": "\\ud800"}', "application/json", 400, "request_invalid"),
    "surrogate_in_key": (b'{"order_id": "a", "count": 1, "\\udfff": 1}', "application/json", 400, "request_invalid"),
    "comment": (b"/* a */" + GOOD, "application/json", 400, "request_invalid"),
    "single_quotes": (b"{'order_id': 'a', 'count': 1}", "application/json", 400, "request_invalid"),
    "unknown_field": (b'{"order_id": "a", "count": 1, "more": 1}', "application/json", 400, "request_invalid"),
    "missing_field": (b'{"order_id": "a"}', "application/json", 400, "request_invalid"),
    "quotes_64_kb": (b'"\\' * 32_000, "application/json", 400, "request_invalid"),
    "no_type": (GOOD, "", 415, "content_type_unsupported"),
    "form": (b"order_id=a&count=1", "application/x-www-form-urlencoded", 415, "content_type_unsupported"),
    "text": (GOOD, "text/plain", 415, "content_type_unsupported"),
    "text_json": (GOOD, "text/json", 415, "content_type_unsupported"),
    "json_patch": (GOOD, "application/json-patch+json", 415, "content_type_unsupported"),
    "charset_latin_1": (GOOD, "application/json; charset=latin-1", 415, "content_type_unsupported"),
    "charset_twice": (GOOD, "application/json; charset=utf-8; charset=utf-16", 415, "content_type_unsupported"),
    "boundary": (GOOD, "application/json; boundary=a", 415, "content_type_unsupported"),
    "two_types": (GOOD, "application/json, text/plain", 415, "content_type_unsupported"),
    "too_large": (b" " * 65_537, "application/json", 413, "body_too_large"),
    "one_mb": (b" " * 1_000_000, "application/json", 413, "body_too_large"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "status", "code"), BODIES.values(), ids=BODIES)
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
