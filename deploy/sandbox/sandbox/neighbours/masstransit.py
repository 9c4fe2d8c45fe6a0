"""`masstransit` serves the stops of public transport: here the real Moscow metro, with a version."""

from typing import Any

from aiohttp import web

from sandbox import fields, wire, world


class Stops(fields.Strict):
    """`GET /v2/stops`; only the metro is played."""

    type = fields.Text("metro", required=True)


async def stops(here: world.World, call: wire.Call) -> Any:
    """All stations, or 304 when the caller has this version."""
    version = here.stations.version
    known = call.headers.get("If-None-Match", "").removeprefix("W/").strip('"')
    if known == version:
        return web.Response(status=304, headers={"ETag": f'"{version}"'})
    return wire.answer({"version": version, "stops": here.stations.stops}, headers={"ETag": f'"{version}"'})


NEIGHBOUR = wire.Neighbour(
    name="masstransit",
    prefix="/masstransit",
    refusal=(403, "access_denied"),
    routes=(wire.Route("GET", "/v2/stops", stops, query=Stops(), callers=("maas",)),),
)
