"""One process, one word: `all`, `serve`, `work`, `migrate`, `tasks`, `openapi`, and the service's own commands.

`Service` is what a service's `app.py` fills in; `main` is all that its `__main__.py` calls.
"""

import argparse
import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import uvloop

from kit import caches as cached
from kit import config as configs
from kit import dynconf, errors, logs, migrate, pg, stq, texts, tickets, trace, web


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every service reads from its environment; a service's own dataclass adds to it."""

    host: str = "127.0.0.1"
    api_port: int
    monitor_port: int
    database_dsn: configs.Secret
    rabbitmq_url: configs.Secret
    ticket_file: Path
    jwks_file: Path
    dynamic_config: Path
    log_level: str = "INFO"
    pool_size: int = 8
    drain_s: float = 1.0
    trace_endpoint: str | None = None
    trace_ratio: float = 0.01


class Context(Protocol):
    """What `main` needs of the frozen dataclass that a service's `context.py` opens."""

    @property
    def db(self) -> pg.Database: ...
    @property
    def queue(self) -> stq.Queue: ...
    @property
    def caches(self) -> cached.Caches: ...


@dataclass(frozen=True)
class Command:
    """An operator's command of one service: `python -m maas revoke PASS_ID`; `run` answers the exit status."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Any, argparse.Namespace], Awaitable[int]]


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything a process of one service contains.

    `api_key_header` is where callers of a service with an authenticator of its own bring their key;
    `serves_without_database` keeps a service ready whose requests go on while its database is away; `limits` makes
    those of its API port from its settings.
    """

    name: str
    description: str
    settings: type[Settings]
    opened: Callable[[Any], AbstractAsyncContextManager[Any]]
    routes: Sequence[web.routes.type_of_handler]
    migrations: Path
    tasks: Sequence[stq.Task] = ()
    schedule: Sequence[stq.Every] = ()
    caches: Sequence[cached.Cache[Any] | cached.Keyed[Any]] = ()
    commands: Sequence[Command] = ()
    authenticator: Callable[[Any], web.api.Authenticator] | None = None
    api_key_header: str | None = None
    serves_without_database: bool = False
    limits: Callable[[Any], web.Limits] | None = None

    @property
    def package(self) -> str:
        """`maas_authproxy` for `maas-authproxy`."""
        return self.name.replace("-", "_")

    @property
    def prefix(self) -> str:
        """The prefix of its environment variables, `MAAS_AUTHPROXY_`."""
        return f"{self.package.upper()}_"

    @property
    def streams(self) -> list[migrate.Stream]:
        """The migrations of its database: the task ledger's and its own."""
        return [stq.STREAM, migrate.Stream(self.package, self.migrations)]

    def say(self) -> Callable[[str, str], str]:
        """The messages of refusals in the language asked for: the service's own, and those of kit."""
        return texts.speaker(*(texts.Catalogue(package) for package in (self.package, "kit")))

    def openapi(self) -> dict[str, Any]:
        """The description of its API port."""
        return web.document(self.name, self.description, self.routes, api_key_header=self.api_key_header)


def by_ticket(jwks_file: Path) -> web.api.Authenticator:
    """Names the caller by the service ticket."""
    verifier = tickets.Verifier(jwks_file)
    return lambda request: verifier.verify(request.headers.get(tickets.HEADER))


def api_of(service: Service, ctx: Any, settings: Settings) -> web.Api:
    """The service's routes, ready to be served."""
    authenticate = service.authenticator(ctx) if service.authenticator else by_ticket(settings.jwks_file)
    return web.Api(service.routes, ctx, authenticate=authenticate, say=service.say())


def main(service: Service, argv: Sequence[str] | None = None) -> None:
    """Runs the word on the command line and exits: 0 done, 1 failed, 2 asked wrongly."""
    arguments = _parser(service).parse_args(argv)
    try:
        sys.exit(_run(service, arguments))
    except (configs.Broken, dynconf.Broken, tickets.KeysBroken) as broken:
        sys.stderr.write(f"{broken}\n")
        sys.exit(2)
    except (web.PortTaken, web.SlowParser, migrate.Failed, errors.Refusal, OSError) as failure:
        sys.stderr.write(f"{service.name}: {_sentence(failure)}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _sentence(failure: BaseException) -> str:
    if isinstance(failure, errors.Refusal):
        return f"{failure.message} {failure.details or ''}".strip()
    return str(failure)


def _parser(service: Service) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {service.package}", description=service.description)
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    words.add_parser("all", help="HTTP, tasks and schedule in one process")
    words.add_parser("serve", help="HTTP alone")
    words.add_parser("work", help="tasks and schedule alone, with the monitor port")
    words.add_parser("migrate", help="bring the database up to date")
    words.add_parser("openapi", help="print the API's description as YAML")
    stq.commands.add_parser(words)
    for command in service.commands:
        command.arguments(words.add_parser(command.name, help=command.help, description=command.help))
    return parser


def _run(service: Service, arguments: argparse.Namespace) -> int:
    if arguments.word == "openapi":
        sys.stdout.write(web.monitor.as_yaml(service.openapi()))
        return 0
    settings = configs.load(service.settings, service.prefix)
    if arguments.word == "migrate":
        if not migrate.apply(settings.database_dsn.reveal(), service.streams):
            sys.stdout.write(f"The database of {service.name} is up to date.\n")
        return 0
    if arguments.word == "tasks":
        return stq.commands.run(arguments, settings.database_dsn.reveal())
    for command in service.commands:
        if command.name == arguments.word:
            return uvloop.run(_commanded(service, command, settings, arguments))
    uvloop.run(_live(service, settings, arguments.word))
    return 0


async def _commanded(service: Service, command: Command, settings: Settings, arguments: argparse.Namespace) -> int:
    # What the command prints may be read by a program; a log among it would spoil that.
    logs.setup(service.name, "ERROR", sys.stderr.buffer)
    async with service.opened(settings) as ctx:
        return await command.run(ctx, arguments)


async def _live(service: Service, settings: Settings, word: str) -> None:
    logs.setup(service.name, settings.log_level)
    if settings.trace_endpoint:
        trace.configure(service.name, settings.trace_endpoint, settings.trace_ratio)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with service.opened(settings) as ctx, running(service, ctx, settings, word) as live:
            # What lives as long as the process need not be looked at again by every collection.
            gc.collect()
            gc.freeze()
            logs.info("started", word=word, api_port=live.api_port, monitor_port=live.monitor_port)
            await stop.wait()
            logs.info("stopping")
    finally:
        await asyncio.to_thread(trace.close)
    logs.info("stopped")


@dataclass(slots=True)
class Live:
    """The listeners' ports of a running process; `api_port` is None for one that only works."""

    api_port: int | None
    monitor_port: int
    is_draining: bool = False


@contextlib.asynccontextmanager
async def running(service: Service, ctx: Context, settings: Settings, word: str) -> AsyncIterator[Live]:
    """The process's parts, started; leaving drains them in the order that fails no request."""
    api = api_of(service, ctx, settings) if word != "work" else None
    limits = service.limits(settings) if service.limits else None
    listener = web.Listener(api, settings.host, settings.api_port, limits) if api else None
    worker = stq.Worker(ctx.queue, service.tasks, service.schedule, ctx) if word != "serve" else None
    live = Live(None, 0)
    watched = web.Api(web.monitor.ROUTES, _monitor(service, ctx, live), authenticate=None)
    monitor = web.Listener(watched, settings.host, settings.monitor_port)
    started: list[web.Listener | stq.Worker] = []
    async with contextlib.AsyncExitStack() as stack:
        await monitor.start()
        stack.push_async_callback(monitor.stop)
        stack.push_async_callback(ctx.caches.close)
        await ctx.caches.start(service.caches)
        stack.push_async_callback(_stop, started)
        for part in (listener, worker):
            if part:
                await part.start()
                started.append(part)
        live.monitor_port = monitor.port
        live.api_port = listener.port if listener else None
        try:
            yield live
        finally:
            live.is_draining = True
            if api:
                # Not ready yet still serving: whoever sends requests has this long to turn to another process.
                api.is_draining = True
                ctx.caches.release()
                await asyncio.sleep(settings.drain_s)


async def _stop(started: Sequence[web.Listener | stq.Worker]) -> None:
    await asyncio.gather(*(part.stop() for part in started))


def _monitor(service: Service, ctx: Context, live: Live) -> web.Monitor:
    async def draining() -> None:
        if live.is_draining:
            raise RuntimeError("draining")

    async def migrations() -> None:
        if pending := await migrate.check(ctx.db, service.streams):
            raise RuntimeError(f"pending {', '.join(pending)}")

    checks: dict[str, web.monitor.type_of_check] = {"caches": ctx.caches.check, "draining": draining}
    if not service.serves_without_database:
        checks |= {"database": ctx.db.ping, "migrations": migrations}
    return web.Monitor(service.openapi(), checks)
