"""The state poll of music beside servers that do less, and beside one written as most are.

Unchanged: every poll brings the version it has, and the answer is 304. Changed: the polls bring none, the answer is 200
with the whole state. Many players are polled in turn. Contenders answer the same, which is checked before the first
round; music checks the ticket, counts, and notices changes besides.

    python tests-integration/bench/state_poll_bench.py --rounds 9 --seconds 1.5
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping

from bench import answers, contest, gateway, pinned, rows, stage

BARE = "aiohttp, no database"
MUSIC = "music"
AIOPG = "aiohttp + aiopg"
FASTAPI = "FastAPI + SQLAlchemy"
BARS = (contest.Bar(MUSIC, BARE, 0.7), contest.Bar(MUSIC, FASTAPI, 4))
type_of_requests = Callable[[], Iterator[bytes]]


def servers_of(
    where: stage.Stage, music: pinned.Server, shown: Mapping[gateway.Ride, bytes]
) -> dict[str, pinned.Server]:
    """All contenders by name, the one that all are compared with first, and next to it its double."""
    first = next(iter(shown.values()))
    body, etag = answers.body(first), rows.etag_of(first)
    asyncio.run(rows.copy(where.dsn("contenders"), dict(shown)))
    dsn = ("--dsn", where.dsn("contenders"))
    return {
        BARE: where.bare(BARE, body, etag),
        f"{BARE}, again": where.bare(BARE, body, etag),
        MUSIC: music,
        AIOPG: where.contender(AIOPG, "aiohttp_aiopg", *dsn),
        FASTAPI: where.contender(FASTAPI, "fastapi_sqlalchemy", *dsn),
    }


def check(where: stage.Stage, servers: Mapping[str, pinned.Server], shown: Mapping[gateway.Ride, bytes]) -> None:
    """Every contender says of the first player what music says, and 304 to whoever has it."""
    ride, answer = next(iter(shown.items()))
    etag = rows.etag_of(answer)
    unchanged = f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode()
    for name, server in servers.items():
        rows.check_same(name, server.port, where.gateway.poll(ride), answer)
        rows.check_same(name, server.port, where.gateway.poll(ride, etag), unchanged)


def heats_of(
    servers: Mapping[str, pinned.Server], changed: type_of_requests, unchanged: type_of_requests
) -> list[contest.Heat]:
    """The two questions, put to all."""
    return [
        contest.Heat(
            title, [contest.Contender(name, server, requests, status) for name, server in servers.items()], BARS
        )
        for title, requests, status in (
            ("state poll, unchanged (304)", unchanged, 304),
            ("state poll, changed (200)", changed, 200),
        )
    ]


def main() -> None:
    """The command line."""
    parser = contest.parser(__doc__)
    parser.add_argument("--players", type=int, default=500, help="players that are polled in turn (500)")
    asked = parser.parse_args()
    with stage.Stage(pinned.Cores.divided()) as where:
        music = where.music()
        rides = where.open_players(music, asked.players)
        shown = asyncio.run(rows.seen(where, music, rides))
        servers = servers_of(where, music, shown)
        check(where, servers, shown)
        changed = [where.gateway.poll(ride) for ride in rides]
        # The bare server knows one version alone, and all players are at it: each was opened, then reported once.
        unchanged = [where.gateway.poll(ride, rows.etag_of(answer)) for ride, answer in shown.items()]
        heats = heats_of(servers, lambda: itertools.cycle(changed), lambda: itertools.cycle(unchanged))
        trivial = where.trivial(answers.body(shown[rides[0]]))
        ceiling = contest.Contender("(the load against nothing)", trivial, lambda: itertools.cycle(changed))
        contest.play(heats, ceiling, asked)


if __name__ == "__main__":
    main()
