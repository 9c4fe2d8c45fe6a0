"""`python -m sandbox`: the world around the services in one process; SIGTERM and Ctrl-C stop it."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from kit import logs, tickets
from sandbox import app, callers, state, world

CALLERS = ("passenger-authorizer", "driver-authproxy", "coupons", "processing", "products", "totw")


class Unusable(Exception):
    """An argument can't be used; the message is one sentence for a person."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until a signal; 2 and one sentence on stderr when an argument can't be used."""
    parsed = _parser().parse_args(arguments)
    try:
        here = _world(parsed)
        logs.setup("sandbox", "INFO")
        asyncio.run(_serve(here, parsed.host, parsed.port))
    except (Unusable, state.StateBroken) as failure:
        sys.stderr.write(f"sandbox: {failure}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8100, help="the port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--state", type=Path, help="JSON file that outlives the process; without it nothing is kept")
    parser.add_argument(
        "--services",
        default="",
        help="where our services are: maas=http://127.0.0.1:8103,maas-authproxy=http://127.0.0.1:8104,…",
    )
    parser.add_argument("--jwks", type=Path, required=True, help="JWKS file with the keys of the service tickets")
    parser.add_argument(
        "--tickets", type=Path, required=True, help=f"JSON file caller → ticket, for {', '.join(CALLERS)}"
    )
    parser.add_argument(
        "--api-keys",
        type=Path,
        help="JSON file partner → API key of maas-authproxy; without it the bank sells nothing",
    )
    return parser


def _world(parsed: argparse.Namespace) -> world.World:
    services, own_tickets = _services(parsed.services), _tickets(parsed.tickets)
    api_keys = {} if parsed.api_keys is None else _secrets(parsed.api_keys, "API keys", "partner and key")
    try:
        return world.World(
            store=state.Store(parsed.state),
            verifier=_verifier(parsed.jwks),
            services=callers.Callers(services, own_tickets, api_keys),
        )
    except OSError as failure:
        raise Unusable(f"the state file {parsed.state} can't be written: {failure.strerror}") from None


def _services(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, _, address = part.partition("=")
        url = urlsplit(address)
        if not name or url.scheme not in ("http", "https") or not url.hostname:
            raise Unusable(f"--services takes name=http://host:port, not {part!r}")
        found[name.strip()] = address.rstrip("/")
    return found


def _verifier(path: Path) -> tickets.Verifier:
    try:
        return tickets.Verifier(path)
    except tickets.KeysBroken as broken:
        raise Unusable(str(broken)) from None


def _tickets(path: Path) -> dict[str, str]:
    found = _secrets(path, "tickets", "caller and ticket")
    missing = [caller for caller in CALLERS if not found.get(caller)]
    if missing:
        raise Unusable(f"the tickets file {path} has no ticket of {', '.join(missing)}")
    return found


def _secrets(path: Path, what: str, pairs: str) -> dict[str, str]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as failure:
        raise Unusable(f"the {what} file {path} can't be read: {failure.strerror}") from None
    except ValueError:
        raise Unusable(f"the {what} file {path} is not JSON") from None
    if not isinstance(found, dict) or not all(isinstance(secret, str) for secret in found.values()):
        raise Unusable(f"the {what} file {path} is not an object of {pairs}")
    return found


async def _serve(here: world.World, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner = web.AppRunner(app.build(here), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except (OSError, OverflowError) as failure:
            raise Unusable(f"can't listen on {host}:{port}: {failure}") from None
        logs.info("sandbox_listens", port=runner.addresses[0][1])
        await stopped.wait()
    finally:
        await runner.cleanup()
    logs.info("sandbox_stopped")


if __name__ == "__main__":
    sys.exit(main())
