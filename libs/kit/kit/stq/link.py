"""One connection to RabbitMQ that is made again whenever it is lost."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import aio_pika
import aio_pika.abc
import aiormq
import yarl

from kit import logs
from kit.stq import measures

CONNECT_TIMEOUT_S = 5.0
HEARTBEAT_S = 10
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 3.0


class Link:
    """Connects in the background; `serve` sets it up and returns or raises when it is lost."""

    def __init__(
        self,
        url: str,
        shown_name: str,
        label: str,
        serve: Callable[[aio_pika.abc.AbstractConnection], Awaitable[None]],
    ) -> None:
        # aio-pika's own robust connection gives up when the first attempt fails, and restores what was deleted.
        self._url = yarl.URL(url).update_query(heartbeat=HEARTBEAT_S)
        self._shown_name = shown_name
        self._label = label
        self._serve = serve
        self._was_up = False
        self._keeper: asyncio.Task[None] | None = None
        self._up = measures.broker_connected.labels(label)

    def start(self) -> None:
        """Begins to connect."""
        if self._keeper is None:
            self._up.set(0)
            self._keeper = asyncio.create_task(self._keep(), name=f"stq {self._label}")

    async def close(self) -> None:
        """Ends the connection and the attempts at it."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper], timeout=5)

    async def _keep(self) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            self._was_up = False
            try:
                await self._once()
            except* (aiormq.AMQPError, OSError, RuntimeError, TimeoutError) as failures:
                logs.warning("broker_unreachable", link=self._label, reason=_name(failures))
            except* Exception as failures:
                logs.exception("broker_link_failed", exc=failures, link=self._label)
            wait_s = FIRST_WAIT_S if self._was_up else min(LONGEST_WAIT_S, wait_s * 2)
            await asyncio.sleep(random.uniform(wait_s / 2, wait_s))  # noqa: S311

    async def _once(self) -> None:
        properties: Any = {"connection_name": self._shown_name}
        connection = await asyncio.wait_for(
            aio_pika.connect(self._url, client_properties=properties, timeout=CONNECT_TIMEOUT_S), CONNECT_TIMEOUT_S + 1
        )
        self._was_up = True
        self._up.set(1)
        logs.info("broker_connected", link=self._label)
        try:
            await self._serve(connection)
        finally:
            self._up.set(0)
            with contextlib.suppress(aiormq.AMQPError, OSError, RuntimeError, TimeoutError):
                async with asyncio.timeout(2):
                    await connection.close()
        logs.warning("broker_lost", link=self._label)


async def first_of(*things: Awaitable[Any]) -> None:
    """Waits until one of them is over, raises what it raised, and ends the others."""
    waiting = [asyncio.ensure_future(thing) for thing in things]
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _name(failures: BaseExceptionGroup[Any]) -> str:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return type(first).__name__
