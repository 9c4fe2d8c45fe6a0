"""Private PostgreSQL and RabbitMQ from the machine's binaries: own folder, own ports, an unprivileged user when root.

The machine's own running servers are never touched: other ports, other data, another epmd.
"""

from testkit.servers.machine.postgres import DURABLE, FAST, Postgres, postgres_binaries
from testkit.servers.machine.rabbitmq import RabbitMQ, rabbitmq_binaries

__all__ = ["DURABLE", "FAST", "Postgres", "RabbitMQ", "postgres_binaries", "rabbitmq_binaries"]
