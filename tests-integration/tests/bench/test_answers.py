"""Reading answers: whole ones alone count, however they are cut, and nothing else passes for one."""

import pytest

from bench import answers

STATE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-LENGTH: 7\r\nETag: "12"\r\n\r\n{"a":1}'
# A length without a body is right for it (RFC 9110, 8.6).
UNCHANGED = b'HTTP/1.1 304 Not Modified\r\nETag: "12"\r\nContent-Length: 7\r\n\r\n'
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 406 Not Acceptable\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(("answer", "status"), [(STATE, 200), (UNCHANGED, 304), (EMPTY, 200), (REFUSED, 406)])
def test_counts_an_answer_once_however_it_is_cut(answer: bytes, status: int) -> None:
    for cut in range(1, len(answer)):
        reader = answers.Reader()
        assert [reader.feed(answer[:cut]), reader.feed(answer[cut:])] == [0, status]
        assert reader.whole == answer


def test_counts_an_answer_that_comes_byte_by_byte() -> None:
    reader = answers.Reader()
    told = [reader.feed(bytes([byte])) for byte in STATE]
    assert told == [0] * (len(STATE) - 1) + [200]


def test_goes_on_with_the_next_answer_of_the_connection() -> None:
    reader = answers.Reader()
    assert [reader.feed(answer) for answer in (STATE, UNCHANGED, REFUSED, STATE)] == [200, 304, 406, 200]


@pytest.mark.parametrize("extra", [b"x", STATE])
def test_refuses_more_than_was_asked_for(extra: bytes) -> None:
    for answer in (STATE, UNCHANGED):
        with pytest.raises(answers.Malformed, match="more than one"):
            answers.Reader().feed(answer + extra)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_refuses_what_has_no_length_or_is_no_answer(answer: bytes) -> None:
    with pytest.raises(answers.Malformed):
        answers.Reader().feed(answer)


def test_finds_headers_and_body() -> None:
    assert answers.header(STATE, b"etag") == b'"12"'
    assert answers.header(STATE, b"content-length") == b"7"
    assert answers.header(STATE, b"length") is None
    assert answers.header(b"HTTP/1.1 200 OK\r\n\r\nx\r\netag: 1", b"etag") is None
    assert answers.body(STATE) == b'{"a":1}'
    assert answers.body(UNCHANGED) == b""
