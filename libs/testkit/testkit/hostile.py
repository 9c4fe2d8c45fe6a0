"""Hostile bytes that every listener of this house refuses, as rows of a table: nothing here is accepted anywhere.

A row is (request line, header lines beside the host and the credentials, body); its paths stand for those of `Target`.
"""

import dataclasses

type_of_row = tuple[str, tuple[str, ...], bytes]


@dataclasses.dataclass(frozen=True)
class Target:
    """Where to send a row: a path that takes POST with JSON, one that takes GET, and the header that lets one in."""

    post: str
    get: str
    credentials: str

    def bytes_of(self, row: type_of_row) -> bytes:
        """The row as it goes over the wire to this target."""
        line, more, body = row
        line = line.replace(POST_PATH, self.post).replace(GET_PATH, self.get)
        head = "\r\n".join([line, "Host: demo", self.credentials, *more, "", ""])
        return head.encode("utf-8", "surrogateescape") + body.replace(GET_PATH.encode(), self.get.encode())


POST_PATH, GET_PATH = "/hostile/post", "/hostile/get"

ORDER = "POST /hostile/post HTTP/1.1"
FIND = "GET /hostile/get?{} HTTP/1.1"
GOOD = b'{"order_id": "a", "count": 1}'
JSON = "Content-Type: application/json"
LENGTH = f"Content-Length: {len(GOOD)}"
CHUNKED = b"1d\r\n" + GOOD + b"\r\n0\r\n\r\n"


def ordered(*more: str, body: bytes = GOOD) -> type_of_row:
    """A POST of JSON with these header lines."""
    return ORDER, (JSON, *more), body


def got(*more: str, line: str = "GET /hostile/get HTTP/1.1", body: bytes = b"") -> type_of_row:
    """A GET with these header lines."""
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
    "chunked_on_http_1_0": ("POST /hostile/post HTTP/1.0", (JSON, "Transfer-Encoding: chunked"), CHUNKED),
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
    "delete_with_length": got("Content-Length: 2", line="DELETE /hostile/get HTTP/1.1", body=b"{}"),
    "smuggled_request": got(f"Content-Length: {len(GOOD)}", body=b"GET /hostile/get HTTP/1.1\r\n"),
    "upgrade_h2c": got("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "upgrade_websocket": got("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "upgrade_without_connection": got("Upgrade: h2c"),
    "expect_something": ordered(LENGTH, "Expect: 200-ok"),
}
HEADERS = {
    "repeated_ordinary": got("X-Yandex-UID: 1", "X-Yandex-UID: 2"),
    "repeated_in_other_case": got("X-Yandex-UID: 1", "x-yandex-uid: 2"),
    "repeated_ticket": got("X-Ya-Service-Ticket: a", "X-Ya-Service-Ticket: a"),
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
    "trace": got(line="TRACE /hostile/get HTTP/1.1"),
    "connect": got(line="CONNECT demo:443 HTTP/1.1"),
    "connect_path": got(line="CONNECT /hostile/get HTTP/1.1"),
    "webdav": got(line="PROPFIND /hostile/get HTTP/1.1"),
    "unknown_method": got(line="STEAL /hostile/get HTTP/1.1"),
    "lower_method": got(line="get /hostile/get HTTP/1.1"),
    "http_0_9": got(line="GET /hostile/get HTTP/0.9"),
    "http_0_9_simple": got(line="GET /hostile/get"),
    "http_2_0": got(line="GET /hostile/get HTTP/2.0"),
    "http_1_2": got(line="GET /hostile/get HTTP/1.2"),
    "http_3": got(line="GET /hostile/get HTTP/3"),
    "ftp": got(line="GET /hostile/get FTP/1.1"),
    "http_2_preface": got(line="PRI * HTTP/2.0"),
    "absolute_form": got(line="GET http://demo/hostile/get HTTP/1.1"),
    "absolute_form_elsewhere": got(line="GET http://169.254.169.254/latest/meta-data HTTP/1.1"),
    "absolute_form_https": got(line="GET https://demo/hostile/get HTTP/1.1"),
    "asterisk": got(line="OPTIONS * HTTP/1.1"),
    "authority_form": got(line="GET demo:80 HTTP/1.1"),
    "no_slash": got(line="GET hostile/get HTTP/1.1"),
    "backslash_form": got(line="GET \\hostile\\get HTTP/1.1"),
    "fragment": got(line="GET /hostile/get#a HTTP/1.1"),
    "nul_in_path": got(line="GET /hostile/g\x00ain HTTP/1.1"),
    "control_in_path": got(line="GET /hostile/g\x01ain HTTP/1.1"),
    "tab_in_path": got(line="GET /hostile/g\tain HTTP/1.1"),
    "utf_8_in_path": got(line="GET /demo/v1/плейн HTTP/1.1"),
    "latin_1_in_path": got(line="GET /hostile/g\udce9 HTTP/1.1"),
    "space_in_path": got(line="GET /hostile/g ain HTTP/1.1"),
    "path_9_kb": got(line=f"GET /hostile/get?{'a' * 9000} HTTP/1.1"),
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


EVERY_ROW = FRAMING | HEADERS | LINES

# What is no HTTP at all, as it goes over the wire.
NO_HTTP = (
    b"GET /hostile/get HTTP/1.1\r\n\r\n",
    b"GET /hostile/get HTTP/1.1\nHost: demo\n\n",
    b"GET /hostile/get HTTP/1.1\r\nHost: demo\nX: a\r\n\r\n",
    b"GET /hostile/get HTTP/1.1\r\nHost: demo\rX: a\r\n\r\n",
    b" GET /hostile/get HTTP/1.1\r\nHost: demo\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"a" * 150,
    b"\x00" * 64,
    bytes(range(256)) * 8,
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x05\x01\x00",
    "привет\r\n\r\n".encode(),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)

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
