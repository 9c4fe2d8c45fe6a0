"""Messages are found in streams of bytes, in whatever pieces these come."""

import struct

import pytest

from chaos import framing


def _typed(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(payload) + 4) + payload


_HELLO = struct.pack("!II", 9, 196608) + b"u"
_SSL = struct.pack("!II", 8, 80877103)
_FRAME = struct.pack("!BHI", 1, 1, 3) + b"abc\xce"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("make", "to_server", "to_client"),
    [
        (
            framing.Postgres,
            [_SSL, _HELLO, _typed(b"Q", b"SELECT 1\0"), _typed(b"X")],
            [b"N", _typed(b"R", bytes(4)), _typed(b"N", b"notice"), _typed(b"Z", b"I")],
        ),
        (framing.Amqp, [b"AMQP\0\0\x09\x01", _FRAME, _FRAME], [_FRAME, _FRAME]),
        (
            framing.Http,
            [
                b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
                b"POST /b HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody",
                b"GET /c HTTP/1.1\r\n\r\n",
            ],
            [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", _CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n"],
        ),
    ],
)
@pytest.mark.parametrize("piece", [1, 3, 10_000])
def test_finds_where_messages_end(
    make: framing.MakeSplitter, to_server: list[bytes], to_client: list[bytes], piece: int
) -> None:
    splitter = make()
    messages: tuple[tuple[framing.Way, list[bytes]], ...] = (("to_server", to_server), ("to_client", to_client))
    for way, wanted in messages:
        stream, ends = b"".join(wanted), []
        for start in range(0, len(stream), piece):
            ends += [start + end for end in splitter.feed(way, stream[start : start + piece])]
        assert ends == [sum(map(len, wanted[: count + 1])) for count in range(len(wanted))]
