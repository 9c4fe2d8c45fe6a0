"""aiohttp's Application with one route and no database: the same bytes, and 304 for whoever has them."""

import argparse
from pathlib import Path

import uvloop
from aiohttp import web


def app(body: bytes, etag: str) -> web.Application:
    headers = {"ETag": etag}

    async def state(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type="application/json", headers=headers)

    made = web.Application()
    made.router.add_get("/4.0/music/v1/player/state", state)
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--etag", required=True)
    asked = parser.parse_args()
    made = app(asked.body.read_bytes(), asked.etag)
    web.run_app(made, host="127.0.0.1", port=asked.port, access_log=None, print=None, loop=uvloop.new_event_loop())


main()
