"""The rows of contenders: what music shows of its players, copied into the contenders' own database."""

import asyncio
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from bench import answers, gateway, load, pinned, stage
from kit import pg

_SCHEMA = Path(__file__).parent / "contenders/schema.sql"
_INSERT = """
INSERT INTO players (player_id, order_id, yandex_uid, connection, state, pending, last_error, version) VALUES
(%(player_id)s, %(order_id)s, %(yandex_uid)s, %(connection)s, %(state)s, %(pending)s, %(last_error)s, %(version)s)
"""
_STATE = ("playback", "track", "position_ms", "position_at", "volume")


class Different(Exception):
    """A contender does not answer what music answers."""


async def seen(where: stage.Stage, music: pinned.Server, rides: Sequence[gateway.Ride]) -> dict[gateway.Ride, bytes]:
    """The whole answer of music to a poll of each ride."""
    return {ride: await load.ask(music.port, where.gateway.poll(ride)) for ride in rides}


def etag_of(answer: bytes) -> str:
    """Of an answer to a poll."""
    found = answers.header(answer, b"etag")
    assert found is not None, answer[:500]
    return found.decode()


async def copy(dsn: str, shown: dict[gateway.Ride, bytes]) -> None:
    """Makes the contenders' tables and a row of each player."""
    db = await pg.Database.open(dsn, name="bench", size=1, statement_timeout_ms=60_000)
    try:
        for statement in _SCHEMA.read_text("utf-8").split(";\n"):
            if statement.strip():
                await db.run(statement)
        for ride, answer in shown.items():
            await db.run(_INSERT, **_row(ride, orjson.loads(answers.body(answer))))
        await db.run("ANALYZE")
    finally:
        await db.close()


def _row(ride: gateway.Ride, screen: dict[str, Any]) -> dict[str, Any]:
    assert all(button["allowed"] for button in screen["actions"].values()), screen
    row = {name: screen[name] for name in ("player_id", "connection", "pending", "last_error", "version")}
    state = {name: screen[name] for name in _STATE} | {"disallows": []}
    return row | {"order_id": ride.order_id, "yandex_uid": ride.yandex_uid, "state": state}


def check_same(name: str, port: int, request: bytes, expected: bytes) -> None:
    """Asks a contender what music was asked, and compares what it says with what music said. Different."""
    answer = asyncio.run(load.ask(port, request))
    found = answers.status_of(answer), etag_of(answer), _comparable(answer)
    wanted = answers.status_of(expected), etag_of(expected), _comparable(expected)
    if found != wanted:
        raise Different(f"{name} answers {found}\nand music      {wanted}")


def _comparable(answer: bytes) -> Any:
    content = answers.body(answer)
    if not content:
        return None
    screen = orjson.loads(content)
    return screen | {"position_at": datetime.datetime.fromisoformat(screen["position_at"])}
