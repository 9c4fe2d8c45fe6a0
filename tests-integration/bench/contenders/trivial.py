"""Answers everything with the same bytes and reads nothing but the ends of requests: the ceiling of the load."""

import argparse
import asyncio
from pathlib import Path
from typing import cast

import uvloop


class Trivial(asyncio.Protocol):
    """One connection; requests have no body, or one that comes together with its head."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--body", type=Path, required=True)
    asked = parser.parse_args()
    body = asked.body.read_bytes()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Trivial(head.encode() + body), "127.0.0.1", asked.port, backlog=1024)
    await server.serve_forever()


uvloop.run(main())
