"""PostgreSQL and RabbitMQ as Docker containers, for machines with an engine; testcontainers' reaper removes them."""

import os
import socket
import warnings
from pathlib import Path
from typing import Any

from testkit.servers import processes

POSTGRES_IMAGE = "postgres:15"
RABBITMQ_IMAGE = "rabbitmq:3.13"


def is_available() -> bool:
    """True when a Docker engine answers; costs a connection to its socket, and nothing where there is none."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not address.startswith("unix://"):
        return _ping()
    path = address.removeprefix("unix://")
    if not Path(path).exists():
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return _ping()


def _ping() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a failed client leaves its socket to the collector
        import docker

        try:
            client = docker.from_env(timeout=5)
        except docker.errors.DockerException:
            return False
        try:
            return bool(client.ping())
        except (docker.errors.DockerException, OSError):
            return False
        finally:
            client.close()


class _Container:
    """A server in a container: data in a named volume when one is given, so that it survives stop, kill and start."""

    name: str
    _inside: int

    def __init__(self, *, port: int | None = None, volume: str | None = None) -> None:
        self.port = port or 0
        self._volume = volume
        self._container: Any = None

    def start(self) -> None:
        """Starts it and returns when it answers; raises ServerFailed."""
        self.port = self.port or processes.free_port()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            container = self._make()
        container.ports[str(self._inside)] = ("127.0.0.1", self.port)
        if self._volume:
            container = container.with_volume_mapping(self._volume, self._data_folder, "rw")
        try:
            container.start()
        except Exception as error:
            raise processes.ServerFailed(f"the container of {self.name} did not start: {error}") from error
        self._container = container

    def stop(self) -> None:
        """Ends it politely and removes the container, not its volume."""
        if self._container is not None:
            self._container.get_wrapped_container().stop(timeout=10)
            self._container.stop(force=True, delete_volume=False)
            self._container = None

    def kill(self) -> None:
        """kill -9 of the server, as a crash."""
        if self._container is not None:
            self._container.get_wrapped_container().kill()
            self._container.stop(force=True, delete_volume=False)
            self._container = None

    def is_alive(self) -> bool:
        if self._container is None:
            return False
        wrapped = self._container.get_wrapped_container()
        try:
            wrapped.reload()
        except Exception:  # the container is gone, or the engine
            return False
        return bool(wrapped.status == "running")

    _data_folder: str

    def _make(self) -> Any:
        raise NotImplementedError


class Postgres(_Container):
    name = "postgres"
    _inside = 5432
    _data_folder = "/var/lib/postgresql/data"

    def __init__(self, *, password: str = "app", port: int | None = None, volume: str | None = None) -> None:
        super().__init__(port=port, volume=volume)
        self._password = password

    @property
    def dsn(self) -> str:
        """The superuser `app` on the database `postgres`."""
        return self.database_dsn("postgres")

    def database_dsn(self, database: str) -> str:
        return f"postgresql://app:{self._password}@127.0.0.1:{self.port}/{database}"

    def _make(self) -> Any:
        from testcontainers.community.postgres import PostgresContainer

        return PostgresContainer(
            POSTGRES_IMAGE, username="app", password=self._password, dbname="postgres", driver=None
        ).with_command("postgres -c max_connections=300 -c log_error_verbosity=terse -c log_min_error_statement=panic")


class RabbitMQ(_Container):
    name = "rabbitmq"
    _inside = 5672
    _data_folder = "/var/lib/rabbitmq"

    def __init__(self, *, password: str = "guest", port: int | None = None, volume: str | None = None) -> None:
        super().__init__(port=port, volume=volume)
        self._user = "guest" if password == "guest" else "app"
        self._password = password

    @property
    def url(self) -> str:
        return f"amqp://{self._user}:{self._password}@127.0.0.1:{self.port}/"

    def _make(self) -> Any:
        from testcontainers.community.rabbitmq import RabbitMqContainer

        # A data folder belongs to the node's name, which contains the host's.
        return RabbitMqContainer(RABBITMQ_IMAGE, username=self._user, password=self._password).with_kwargs(
            hostname="taxi"
        )


def remove_volume(name: str) -> None:
    """Throws a named volume away; nothing when there is none."""
    import docker

    client = docker.from_env()
    try:
        client.volumes.get(name).remove(force=True)
    except docker.errors.NotFound:
        pass
    finally:
        client.close()
