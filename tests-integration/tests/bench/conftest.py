"""Servers whose answers a test decides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bench import load

type_of_answer = Callable[[bytes], bytes]


@pytest.fixture
async def answering() -> AsyncIterator[Callable[[type_of_answer], Awaitable[int]]]:
    """Starts a server that answers each request by a function; its port."""
    started = []

    async def start(answer: type_of_answer) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(serve, load.HOST, 0)
        started.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in started:
        server.close()
