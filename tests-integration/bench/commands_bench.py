"""Commands per second with their task row: music's POST beside the same writes by SQLAlchemy's ORM, and by hand.

Each command locks and bumps its player's row, and writes itself and a task, in one transaction; fsync is on. music also
looks for a repeat, counts the commands of the last seconds, supersedes, and tells the pollers. Many passengers take
turns. Tasks are not worked meanwhile.

    python tests-integration/bench/commands_bench.py --rounds 9 --seconds 1.5
"""

import asyncio
import functools
import uuid
from collections.abc import Mapping, Sequence

import orjson

from bench import answers, contest, gateway, load, pinned, rows, stage

BY_HAND = "aiohttp + aiopg, by hand"
MUSIC = "music"
FASTAPI = "FastAPI + SQLAlchemy"
BARS = (contest.Bar(MUSIC, FASTAPI, 5),)


def servers_of(where: stage.Stage, music: pinned.Server) -> dict[str, pinned.Server]:
    """All contenders by name, the one that all are compared with first, and next to it its double."""
    dsn = ("--dsn", where.dsn("contenders"))
    return {
        FASTAPI: where.contender(FASTAPI, "fastapi_sqlalchemy", *dsn),
        f"{FASTAPI}, again": where.contender(FASTAPI, "fastapi_sqlalchemy", *dsn),
        BY_HAND: where.contender(BY_HAND, "aiohttp_aiopg", *dsn),
        MUSIC: music,
    }


def check(where: stage.Stage, servers: Mapping[str, pinned.Server], rides: Sequence[gateway.Ride]) -> None:
    """The first command of a player is accepted by every contender as by music, each with a player of its own."""
    command_id = str(uuid.uuid4())
    found = {
        name: orjson.loads(answers.body(asyncio.run(load.ask(server.port, where.gateway.command(ride, command_id)))))
        for (name, server), ride in zip(servers.items(), rides, strict=False)
    }
    different = {name: answer for name, answer in found.items() if answer != found[MUSIC]}
    if different or found[MUSIC]["command_id"] != command_id:
        raise rows.Different(f"{different} and music {found[MUSIC]}")


def main() -> None:
    """The command line."""
    parser = contest.parser(__doc__)
    parser.add_argument("--players", type=int, default=2000, help="players that are steered in turn (2,000)")
    asked = parser.parse_args()
    with stage.Stage(pinned.Cores.divided()) as where:
        music = where.music()
        rides = where.open_players(music, asked.players)
        asyncio.run(rows.copy(where.dsn("contenders"), asyncio.run(rows.seen(where, music, rides))))
        servers = servers_of(where, music)
        check(where, servers, rides)
        # One stream of requests each, so that a contender goes on with the next player where it stopped.
        contenders = []
        for name, server in servers.items():
            requests = where.gateway.commands(rides)
            contenders.append(contest.Contender(name, server, functools.partial(iter, requests)))
        heat = contest.Heat("commands with their task row (200)", contenders, BARS)
        ceiling_requests = where.gateway.commands(rides)
        ceiling = contest.Contender(
            "(the load against nothing)", where.trivial(b"{}"), functools.partial(iter, ceiling_requests)
        )
        contest.play([heat], ceiling, asked)


if __name__ == "__main__":
    main()
