"""Answers as the load reads them: whole or not yet, and their status; nothing more is looked at."""

_BODILESS = (204, 304)


class Malformed(Exception):
    """What came back is not one HTTP/1.1 answer of a known length."""


class Reader:
    """The answers of one connection, on which a request is sent when the last one was answered.

    `whole` is the answer that was read last.
    """

    __slots__ = ("_rest", "whole")

    def __init__(self) -> None:
        self._rest = b""
        self.whole = b""

    def feed(self, data: bytes) -> int:
        """The status when the answer is whole, 0 before. Malformed."""
        if self._rest:
            data = self._rest + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._rest = data
            return 0
        status = status_of(data)
        missing = end + 4 + (0 if status in _BODILESS else _size(data[:end])) - len(data)
        if missing > 0:
            self._rest = data
            return 0
        if missing < 0:
            raise Malformed(f"more than one answer to one request: {data[-200:]!r}")
        self._rest = b""
        self.whole = data
        return status


def status_of(data: bytes) -> int:
    """The status of an answer. Malformed."""
    if not data.startswith(b"HTTP/1.1 ") or not data[9:12].isdigit():
        raise Malformed(f"not an answer: {data[:80]!r}")
    return int(data[9:12])


def header(data: bytes, name: bytes) -> bytes | None:
    """A header's value; `name` is in lower case."""
    head = data.partition(b"\r\n\r\n")[0]
    start = head.lower().find(b"\r\n" + name + b":")
    if start < 0:
        return None
    return head[start + len(name) + 3 :].partition(b"\r\n")[0].strip()


def body(data: bytes) -> bytes:
    """What follows the head."""
    return data.partition(b"\r\n\r\n")[2]


def _size(head: bytes) -> int:
    found = header(head, b"content-length")
    if found is None or not found.isdigit():
        raise Malformed(f"an answer without its length: {head[:200]!r}")
    return int(found)
