"""Calls to neighbours: one `Client` per neighbour, and everything a call needs so that a sick neighbour harms nobody.

    class Personal(http_client.Client):
        name = "personal"

        async def store_phone(self, phone: str) -> str:
            found = await self._call("POST", "/v1/phones/bulk_store", operation="bulk_store", body=…, answer=_STORED,
                                     is_idempotent=True)

Timeouts come from `CLIENT_QOS` and the scope's deadline; retries are bounded, jittered and budgeted, for idempotent
calls alone; a breaker per operation and a cap on calls in flight refuse at once. What is raised tells what happened:
`NeighbourUnavailable` that nothing was done, `NeighbourTimeout` and `NeighbourFailed` that nobody knows,
`NeighbourRefused` that the neighbour said no, `NeighbourGarbage` that its answer makes no sense.
"""

from kit.http_client.breaker import Breaker
from kit.http_client.budget import Budget
from kit.http_client.client import Answer, Client, Ticket, quoted
from kit.http_client.failures import (
    Failure,
    NeighbourFailed,
    NeighbourGarbage,
    NeighbourRefused,
    NeighbourTimeout,
    NeighbourUnavailable,
)
from kit.http_client.qos import CLIENT_QOS, DEFAULT_QOS, Qos, QosSchema
from kit.http_client.wire import Raw

__all__ = [
    "CLIENT_QOS",
    "DEFAULT_QOS",
    "Answer",
    "Breaker",
    "Budget",
    "Client",
    "Failure",
    "NeighbourFailed",
    "NeighbourGarbage",
    "NeighbourRefused",
    "NeighbourTimeout",
    "NeighbourUnavailable",
    "Qos",
    "QosSchema",
    "Raw",
    "Ticket",
    "quoted",
]
