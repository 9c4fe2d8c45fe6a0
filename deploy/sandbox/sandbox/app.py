"""THE PAGE: every neighbour that the sandbox plays, and the application that serves them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from sandbox import debts, drivers, gate, operators, people, wire, world
from sandbox.neighbours import (
    api_proxy,
    communications,
    coupons,
    driver_authproxy,
    masstransit,
    music_backend,
    passenger_authorizer,
    personal,
    processing,
    products,
    protocol,
    totw,
    user_api,
    user_state,
    vtb,
    zalogin,
)
from sandbox.taximeter import doors as taximeter_doors
from sandbox.taximeter import fleet

NEIGHBOURS: tuple[wire.Neighbour, ...] = (
    vtb.NEIGHBOUR,
    personal.NEIGHBOUR,
    user_api.NEIGHBOUR,
    zalogin.NEIGHBOUR,
    coupons.NEIGHBOUR,
    masstransit.NEIGHBOUR,
    passenger_authorizer.NEIGHBOUR,
    processing.NEIGHBOUR,
    api_proxy.NEIGHBOUR,
    products.NEIGHBOUR,
    protocol.NEIGHBOUR,
    user_state.NEIGHBOUR,
    totw.NEIGHBOUR,
    driver_authproxy.NEIGHBOUR,
    communications.NEIGHBOUR,
    music_backend.NEIGHBOUR,
)

DOORS: tuple[wire.Route, ...] = (*operators.doors(NEIGHBOURS), *people.DOORS, *drivers.DOORS, *taximeter_doors.DOORS)


def build(here: world.World, debts_every_s: float = 0.5) -> web.Application:
    """The application of this world; what is owed to maas is paid every `debts_every_s`."""
    app = web.Application(client_max_size=wire.MAX_BODY, middlewares=[gate.error_form])
    for door in DOORS:
        app.router.add_route(door.method, door.path, gate.Door(here, door).__call__)
    for neighbour in NEIGHBOURS:
        # A gateway takes every path by itself; for the others what no route takes is a broken contract.
        is_gateway = neighbour.is_behind_gateway or any(route.is_proxy for route in neighbour.routes)
        for route in (*neighbour.routes, *(() if is_gateway else (gate.UNKNOWN,))):
            handler = gate.Gate(here, neighbour, route)
            app.router.add_route(route.method, neighbour.prefix + route.path, handler.__call__)

    async def alive(_: web.Application) -> AsyncIterator[None]:
        await here.services.start()
        fleet.start(here)
        paying = asyncio.create_task(debts.keep_paying(here, debts_every_s))
        yield
        paying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await paying
        fleet.stop(here)
        await here.services.close()

    app.cleanup_ctx.append(alive)
    return app
