"""What every service's context is made of, opened in order and closed in the reverse one."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from kit import caches, dynconf, http_client, pg, stq, tickets

if TYPE_CHECKING:
    from kit import process

C = TypeVar("C", bound=http_client.Client)


@dataclass(frozen=True, slots=True)
class Parts:
    """The common parts of a process; `neighbour` opens a client that is closed together with them."""

    dynamic: dynconf.Configs
    db: pg.Database
    queue: stq.Queue
    caches: caches.Caches
    ticket: tickets.Source
    _stack: contextlib.AsyncExitStack

    async def neighbour(self, client: type[C], url: str) -> C:
        """A client of the neighbour at `url`, with our ticket and the QoS of the dynamic config."""
        made = client(url, ticket=self.ticket, qos=lambda: self.dynamic.get(http_client.CLIENT_QOS))
        await made.start()
        self._stack.push_async_callback(made.close)
        return made


@contextlib.asynccontextmanager
async def opened(
    service: str,
    settings: "process.Settings",
    values: Sequence[dynconf.Value],
    experiments: Sequence[dynconf.Experiment] = (),
) -> AsyncIterator[Parts]:
    """The parts of `service`; neither PostgreSQL nor RabbitMQ need be there yet. dynconf.Broken."""
    async with contextlib.AsyncExitStack() as stack:
        dynamic = dynconf.Configs.open(settings.dynamic_config, values, experiments)
        await dynamic.start()
        stack.push_async_callback(dynamic.close)
        dsn = settings.database_dsn.reveal()
        db = await pg.Database.open(dsn, name=service, size=settings.pool_size)
        stack.push_async_callback(db.close)
        broker = _broker(settings.rabbitmq_url.reveal(), service)
        await broker.start()
        stack.push_async_callback(broker.close)
        queue = stq.Queue(service.replace("-", "_"), db, broker)
        yield Parts(dynamic, db, queue, caches.Caches(db), tickets.Source(settings.ticket_file), stack)


def _broker(url: str, service: str) -> stq.Broker | stq.MemoryBroker:
    """The broker at `url`; `memory:` is none at all, for a process whose own sweeper is enough (tests)."""
    return stq.MemoryBroker() if url == "memory:" else stq.Broker(url, service)
