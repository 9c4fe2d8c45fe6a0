"""A service inside the test: its real routes on a real port, a real database, neighbours mocked on the wire, the queue
in memory.

    @pytest.fixture
    async def maas(make_database, neighbours, tmp_path):
        async with make_database(app.SERVICE.streams) as dsn:
            async with service.started(app.SERVICE, dsn=dsn, dynamic=CONFIG, folder=tmp_path, neighbours=neighbours,
                                       names=("coupons", "vtb")) as live:
                yield live
"""

import contextlib
import functools
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml

from kit import config, failpoints, identity, process, stq, tickets
from testkit import databases
from testkit import neighbours as mocks
from testkit.waiting import until

_TTL_S = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back on the wire; `body` is parsed JSON where there is some."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str | None:
        """The code of the error form."""
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass(slots=True)
class Live:
    """A started service as a test talks to it."""

    service: process.Service
    context: Any
    url: str
    monitor_url: str
    dsn: str
    http: aiohttp.ClientSession

    async def ask(
        self,
        caller: str | None,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """One request with the ticket of `caller` (None for no ticket); `raw` is sent as it is."""
        sent = dict(headers or {})
        if caller is not None:
            sent[tickets.HEADER] = ticket_of(caller)
        data = raw if raw is not None else None if body is None else orjson.dumps(body)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.http.request(method, self.url + path, data=data, headers=sent) as response:
            content = await response.read()
            is_json = response.content_type == "application/json"
            return Answer(response.status, orjson.loads(content) if is_json else content, response.headers)

    async def as_passenger(
        self, person: identity.Passenger, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        """One request of a person's app, as the authorising gateway passes it on."""
        return await self.ask(
            identity.PASSENGER_GATEWAY, method, path, body, headers=passenger_headers(person) | headers
        )

    async def run_task(self, name: str) -> list[str]:
        """Runs every due task of this name in place; their outcomes (`done`, `retry`, `dead` ...)."""
        outcomes = await stq.run_due(self.context.queue, self.service.tasks, self.context, name, all=True)
        return [str(outcome.result) for outcome in outcomes]


class World:
    """A live service with its neighbours, and what tests of every service do with them; a service's own adds to it."""

    def __init__(self, live: Live, neighbours: mocks.Neighbours) -> None:
        self.live = live
        self.neighbours = neighbours

    async def execute(self, sql: str, **args: Any) -> int:
        """Changes the database behind the service's back; rows touched."""
        return int(await self.live.context.db.run(sql, **args))

    async def configured(self, **values: Any) -> None:
        """Brings other dynamic configs into force: `MAAS_RESERVE_TTL_S=60`."""
        path = self.live.context.config.dynamic_config
        document = yaml.safe_load(path.read_text("utf-8"))
        raw = orjson.dumps(document | {"configs": document["configs"] | values})
        path.write_bytes(raw)
        await self.live.context.dynamic.refresh()
        assert self.live.context.dynamic.version == hashlib.sha256(raw).hexdigest()[:12]

    async def runs(self, task: str) -> list[str]:
        """Runs a periodic task now; its outcome."""
        async with self.live.context.db.transaction() as tx:
            await self.live.context.queue.enqueue(tx, task, task_id="now", again=True)
        return await self.live.run_task(task)

    @contextlib.contextmanager
    def meanwhile(self, place: str, sql: str) -> Iterator[None]:
        """What another request commits in the very moment when a request of the body comes to `place`."""
        reached = list[str]()

        def hook(name: str) -> None:
            if name == place and not reached:
                reached.append(name)
                databases.execute(self.live.dsn, sql)

        failpoints.arm(hook)
        try:
            yield
        finally:
            failpoints.arm(None)
        assert reached == [place]


@functools.cache
def _key() -> str:
    return tickets.new_key()


@functools.cache
def ticket_of(caller: str) -> str:
    """A good ticket of `caller`."""
    return tickets.issue(_key(), caller, _TTL_S)


def passenger_headers(person: identity.Passenger) -> dict[str, str]:
    """The headers by which the gateway names `person`."""
    headers = {"X-Yandex-UID": person.yandex_uid, "X-YaTaxi-Pass-Flags": ",".join(sorted(person.flags))}
    if person.personal_phone_id:
        headers["X-YaTaxi-User"] = f"personal_phone_id={person.personal_phone_id}"
    if person.phone_id:
        headers["X-YaTaxi-PhoneId"] = person.phone_id
    return headers


@contextlib.asynccontextmanager
async def started(
    service: process.Service,
    *,
    dsn: str,
    dynamic: Path,
    folder: Path,
    neighbours: mocks.Neighbours,
    names: tuple[str, ...],
    **settings: Any,
) -> AsyncIterator[Live]:
    """The service with its neighbours `names` mocked; its caches are loaded when the test begins.

    `settings` override fields of its settings; nothing works its tasks but `run_task`.
    """
    (folder / "jwks.json").write_text(tickets.jwks(_key()))
    (folder / "ticket").write_text(ticket_of(service.name))
    urls: dict[str, Any] = {f"{name}_url": neighbours[name].url for name in names}
    made = service.settings(
        api_port=0,
        monitor_port=0,
        database_dsn=config.Secret(dsn),
        rabbitmq_url=config.Secret("memory:"),
        ticket_file=folder / "ticket",
        jwks_file=folder / "jwks.json",
        dynamic_config=dynamic,
        drain_s=0.0,
        **urls,
        **settings,
    )
    async with (
        service.opened(made) as context,
        process.running(service, context, made, "serve") as live,
        aiohttp.ClientSession() as http,
    ):
        url, monitor_url = f"http://127.0.0.1:{live.api_port}", f"http://127.0.0.1:{live.monitor_port}"
        await until(lambda: not service.caches or context.caches.is_listening)
        yield Live(service, context, url, monitor_url, dsn, http)
