"""THE PAGE: every neighbour that the sandbox plays, and the application that serves them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from sandbox import gate, operators, people, wire, world
from sandbox.neighbours import (
    coupons,
    masstransit,
    passenger_authorizer,
    personal,
    processing,
    user_api,
    vtb,
    zalogin,
)

NEIGHBOURS: tuple[wire.Neighbour, ...] = (
    vtb.NEIGHBOUR,
    personal.NEIGHBOUR,
    user_api.NEIGHBOUR,
    zalogin.NEIGHBOUR,
    coupons.NEIGHBOUR,
    masstransit.NEIGHBOUR,
    passenger_authorizer.NEIGHBOUR,
    processing.NEIGHBOUR,
)

DOORS: tuple[wire.Route, ...] = (*operators.doors(NEIGHBOURS), *people.DOORS)


def build(here: world.World, debts_every_s: float = 0.5) -> web.Application:
    """The application of this world; what processing owes to maas is paid every `debts_every_s`."""
    app = web.Application(client_max_size=wire.MAX_BODY, middlewares=[gate.error_form])
    for door in DOORS:
        app.router.add_route(door.method, door.path, gate.Door(here, door).__call__)
    for neighbour in NEIGHBOURS:
        # A gateway takes every path by itself; for the others what no route takes is a broken contract.
        is_gateway = any(route.is_proxy for route in neighbour.routes)
        for route in (*neighbour.routes, *(() if is_gateway else (gate.UNKNOWN,))):
            handler = gate.Gate(here, neighbour, route)
            app.router.add_route(route.method, neighbour.prefix + route.path, handler.__call__)

    async def alive(_: web.Application) -> AsyncIterator[None]:
        await here.services.start()
        debts = asyncio.create_task(processing.keep_paying(here, debts_every_s))
        yield
        debts.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await debts
        await here.services.close()

    app.cleanup_ctx.append(alive)
    return app
