"""Where messages end in a stream of bytes: PostgreSQL, HTTP/1.1 and AMQP 0-9-1, each followed from both sides."""

import struct
from collections import deque
from collections.abc import Iterator
from typing import Literal, Protocol

Way = Literal["to_server", "to_client"]
_ASKS = {80877103, 80877104}  # SSLRequest and GSSENCRequest: answered by one bare byte


class Splitter(Protocol):
    """Follows one connection."""

    def feed(self, way: Way, data: bytes) -> list[int]:
        """The offsets in `data`, never 0, behind which a message of that way ends."""


class MakeSplitter(Protocol):
    """A class of this module; `is_open` for a connection that is past its start when it is first looked at."""

    def __call__(self, *, is_open: bool = False) -> Splitter: ...


class _Framed:
    """The machinery: `_reader` is a generator per way that asks for so many bytes (or up to a mark) and is given them.

    It yields what it waits for next, and None where a message ends.
    """

    def __init__(self) -> None:
        self._readers = {way: self._reader(way) for way in ("to_server", "to_client")}
        self._wanted: dict[str, int | bytes] = {}
        self._seen = {way: bytearray() for way in ("to_server", "to_client")}
        for way, reader in self._readers.items():
            self._wanted[way] = _asked(next(reader))

    def _reader(self, way: str) -> Iterator[int | bytes | None]:
        raise NotImplementedError

    def feed(self, way: Way, data: bytes) -> list[int]:
        """The offsets in `data` behind which a message ends."""
        seen = self._seen[way]
        before = len(seen)
        seen += data
        ends, position = [], 0
        while (length := _length(self._wanted[way], seen, position)) is not None:
            self._taken = bytes(seen[position : position + length])
            position += length
            wanted = next(self._readers[way])
            if wanted is None:
                ends.append(position - before)
                wanted = next(self._readers[way])
            self._wanted[way] = _asked(wanted)
        del seen[:position]
        return ends


def _asked(wanted: int | bytes | None) -> int | bytes:
    assert wanted, "a reader waits for something"
    return wanted


def _length(wanted: int | bytes, seen: bytearray, position: int) -> int | None:
    """How many bytes are there of what is wanted; None while it is not all there."""
    if isinstance(wanted, int):
        return wanted if len(seen) - position >= wanted else None
    found = seen.find(wanted, position)
    return None if found < 0 else found + len(wanted) - position


class Postgres(_Framed):
    """PostgreSQL's protocol 3; `is_open` for a connection that is past its start when it is first looked at."""

    def __init__(self, *, is_open: bool = False) -> None:
        self._is_open = is_open
        self._bare_answers = 0
        self._is_started = is_open
        super().__init__()

    def _reader(self, way: str) -> Iterator[int | bytes | None]:
        if way == "to_server" and not self._is_open:
            yield from self._start()
        while True:
            yield 1
            if way == "to_client" and self._bare_answers:
                self._bare_answers -= 1
                yield None
                continue
            yield 4
            yield from _some(struct.unpack("!I", self._taken)[0] - 4)
            yield None

    def _start(self) -> Iterator[int | bytes | None]:
        """What a client says before its messages have types."""
        while True:
            yield 8
            length, code = struct.unpack("!II", self._taken)
            yield from _some(length - 8)
            if code not in _ASKS:
                yield None
                return
            self._bare_answers += 1
            yield None


class Amqp(_Framed):
    """AMQP 0-9-1: the protocol header, then frames."""

    def __init__(self, *, is_open: bool = False) -> None:
        self._is_open = is_open
        super().__init__()

    def _reader(self, way: str) -> Iterator[int | bytes | None]:
        if way == "to_server" and not self._is_open:
            yield 8
            yield None
        while True:
            yield 7
            yield struct.unpack("!BHI", self._taken)[2] + 1
            yield None


class Http(_Framed):
    """HTTP/1.1: requests one way, answers the other; an answer that ends with its connection has no end here."""

    def __init__(self, *, is_open: bool = False) -> None:
        self._methods: deque[bytes] = deque()
        super().__init__()

    def _reader(self, way: str) -> Iterator[int | bytes | None]:
        while True:
            yield b"\r\n\r\n"
            first, *lines = self._taken[:-4].split(b"\r\n")
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
            }
            if way == "to_server":
                self._methods.append(first.partition(b" ")[0])
            if way == "to_server" or self._has_body(first.split(b" ")[1]):
                yield from self._body(headers)
            yield None

    def _has_body(self, status: bytes) -> bool:
        if status.startswith(b"1"):
            return False
        method = self._methods.popleft() if self._methods else b""
        return method != b"HEAD" and status not in (b"204", b"304")

    def _body(self, headers: dict[bytes, bytes]) -> Iterator[int | bytes | None]:
        if b"chunked" not in headers.get(b"transfer-encoding", b""):
            yield from _some(int(headers.get(b"content-length", b"0")))
            return
        while True:
            yield b"\r\n"
            size = int(self._taken.partition(b";")[0], 16)
            yield size + 2
            if size == 0:
                return


def _some(length: int) -> Iterator[int]:
    if length > 0:
        yield length
