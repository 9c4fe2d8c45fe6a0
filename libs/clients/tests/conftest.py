import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import pytest

from kit import http_client
from testkit.neighbours import Neighbour

C = TypeVar("C", bound=http_client.Client)
Opened = Callable[[type[Any], Neighbour], Awaitable[Any]]


class Ticket:
    def header(self) -> str:
        return "ticket-of-maas"


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """`client = await opened(vtb.Vtb, neighbours.vtb)`: a started client of a mocked neighbour."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_client(client: type[C], neighbour: Neighbour) -> C:
            rules = {"default": http_client.Qos(2000, 1)}
            made = client(neighbour.url, ticket=Ticket(), qos=lambda: rules)
            await made.start()
            stack.push_async_callback(made.close)
            return made

        yield open_client
