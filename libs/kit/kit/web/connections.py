"""The connections of one listener."""

import asyncio
import collections
import contextvars

from kit.web import api, connection
from kit.web import limits as bounds


class Connections:
    """The connections of one listener, and how many of them each client has."""

    def __init__(self, served: api.Api, limits: bounds.Limits) -> None:
        self.api = served
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.context = contextvars.copy_context()
        self.of_client: collections.Counter[str] = collections.Counter()
        self._connections: set[connection.Connection] = set()

    def __call__(self) -> connection.Connection:
        return connection.Connection(self)

    @property
    def connections(self) -> list[connection.Connection]:
        """Those that are open, and those that are lost and still at work."""
        return list(self._connections)

    def add(self, new: connection.Connection) -> str | None:
        """Takes a connection in; the limit that it goes beyond, if any."""
        self._connections.add(new)
        if len(self._connections) > self.limits.connections:
            return "connections"
        most, client = self.limits.connections_per_client, bounds.client_of(new.peername)
        if most is None or client is None:
            return None
        new.client = client
        self.of_client[client] += 1
        return "connections_per_client" if self.of_client[client] > most else None

    def forget(self, lost: connection.Connection) -> None:
        """Lets go of a connection that is lost, when its last request is over."""
        client, lost.client = lost.client, None
        if client is not None:
            self.of_client[client] -= 1
            if not self.of_client[client]:
                del self.of_client[client]
        if not lost.is_busy:
            self._connections.discard(lost)

    async def shutdown(self, grace_s: float) -> None:
        """Waits that long for the requests at hand, cancels them, and closes what is left."""
        for is_cancelled in (False, True):
            tasks = [each.task for each in self._connections if each.task is not None]
            for task in tasks if is_cancelled else ():
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=grace_s)
        for each in self.connections:
            each.close()
