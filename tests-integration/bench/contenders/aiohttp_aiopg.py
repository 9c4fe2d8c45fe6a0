"""aiohttp, aiopg's own pool of eight, uvloop, orjson, SQL by hand: one SELECT per poll, four statements per command."""

import argparse
import json
from collections.abc import AsyncIterator

import aiopg
import orjson
import psycopg2.extras
import uvloop
from aiohttp import web

ACTIONS = ("play", "pause", "next", "previous", "play_item", "set_volume", "seek")
POOL: web.AppKey[aiopg.Pool] = web.AppKey("pool", aiopg.Pool)
FIND = """SELECT player_id, version, connection, state, pending, last_error FROM players
WHERE order_id = %s AND yandex_uid = %s AND status = 'active'"""
LOCK = """SELECT player_id, version, last_seq FROM players
WHERE order_id = %s AND yandex_uid = %s AND status = 'active' FOR UPDATE"""
BUMP = "UPDATE players SET version = %s, last_seq = %s, touched_at = now() WHERE player_id = %s"
INSERT_COMMAND = """INSERT INTO commands
    (player_id, order_id, seq, command_id, action, args, version, status, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, 'queued', now() + interval '15 seconds')"""
INSERT_TASK = "INSERT INTO tasks (queue, task_id, kwargs) VALUES ('music.command.push', %s, %s)"


def unavailable() -> web.Response:
    body = orjson.dumps({"code": "player_unavailable", "message": "There is no player"})
    return web.Response(body=body, status=406, content_type="application/json")


async def state(request: web.Request) -> web.Response:
    key = (request.query["order_id"], request.headers["X-Yandex-UID"])
    async with request.app[POOL].acquire() as connection, connection.cursor() as cursor:
        await cursor.execute(FIND, key)
        row = await cursor.fetchone()
    if row is None:
        return unavailable()
    player_id, version, player_connection, played, pending, last_error = row
    headers = {"ETag": f'"{version}"'}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    disallows = played["disallows"]
    answer = {
        "player_id": player_id,
        "version": version,
        "playback": played["playback"],
        "track": played["track"],
        "position_ms": played["position_ms"],
        "position_at": played["position_at"],
        "volume": played["volume"],
        "actions": {action: {"allowed": action not in disallows} for action in ACTIONS},
        "pending": pending,
        "last_error": last_error,
        "connection": player_connection,
        "polling_interval_ms": 1000,
    }
    return web.Response(body=orjson.dumps(answer), content_type="application/json", headers=headers)


async def command(request: web.Request) -> web.Response:
    asked = orjson.loads(await request.read())
    order_id, command_id, args = asked["order_id"], asked["command_id"], json.dumps(asked["args"])
    async with request.app[POOL].acquire() as connection, connection.cursor() as cursor, cursor.begin():
        await cursor.execute(LOCK, (order_id, request.headers["X-Yandex-UID"]))
        row = await cursor.fetchone()
        if row is None:
            return unavailable()
        player_id, version, seq = row[0], row[1] + 1, row[2] + 1
        await cursor.execute(BUMP, (version, seq, player_id))
        values = (player_id, order_id, seq, command_id, asked["action"], args, version)
        await cursor.execute(INSERT_COMMAND, values)
        kwargs = orjson.dumps({"player_id": player_id, "seq": seq, "attempt": 1}).decode()
        await cursor.execute(INSERT_TASK, (f"{player_id}-{seq}-1", kwargs))
    answer = {"command_id": command_id, "seq": seq, "status": "queued", "version": version}
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


def app(dsn: str) -> web.Application:
    async def with_pool(made: web.Application) -> AsyncIterator[None]:
        async with aiopg.create_pool(dsn, minsize=8, maxsize=8) as pool:
            made[POOL] = pool
            yield

    made = web.Application()
    made.cleanup_ctx.append(with_pool)
    made.router.add_get("/4.0/music/v1/player/state", state)
    made.router.add_post("/4.0/music/v1/player/command", command)
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dsn", required=True)
    asked = parser.parse_args()
    psycopg2.extras.register_default_jsonb(globally=True, loads=orjson.loads)
    loop = uvloop.new_event_loop()
    web.run_app(app(asked.dsn), host="127.0.0.1", port=asked.port, access_log=None, print=None, loop=loop)


main()
