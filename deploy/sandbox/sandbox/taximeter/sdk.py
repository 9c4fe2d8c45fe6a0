"""The SDK of Music in the car: it reads the catalogue with a temporary token, which it keeps fresh (M-05, M-30)."""

import asyncio
import datetime
import time
from dataclasses import dataclass, field

from kit import clock
from sandbox import callers, inside, world
from sandbox.music import catalogue
from sandbox.neighbours import music_backend
from sandbox.taximeter import line, speakers

_RENEWED_AT = 0.8
_SHORTEST_S = 0.5


@dataclass(frozen=True, slots=True)
class Token:
    """A temporary token; when it ends and when it is time for the next one, by this device's monotonic clock."""

    token: str = field(repr=False)
    expires_at: str
    ends: float
    renewed: float


class Sdk:
    """Plays for one ride; `token` is None until something is to be played."""

    def __init__(self, here: world.World, line_: line.Line, order_id: str) -> None:
        self._world = here
        self._line = line_
        self._order_id = order_id
        self.token: Token | None = None
        self._is_wanted = asyncio.Event()

    async def ready(self) -> Token:
        """A token that is good now, asked for when there is none; CannotDo `no_token`."""
        if self.token is None or self.token.ends <= time.monotonic():
            await self.renew()
        if self.token is None:
            raise speakers.CannotDo("no_token")
        return self.token

    async def renew(self) -> bool:
        """Asks music for a token; False when there was none, and the old one stays for as long as it is good."""
        try:
            reply = await self._line.post("token", {"order_id": self._order_id})
            if not reply.is_ok:
                return False
            self.token = _read(reply)
            self._is_wanted.set()
        except (callers.NoAnswer, KeyError, TypeError, ValueError):
            return False
        return True

    async def keep_fresh(self) -> None:
        """Renews the token at 80 % of its life, from the first one on, until it is cancelled."""
        await self._is_wanted.wait()
        backoff = line.Backoff(first_s=1.0)
        while True:
            due = 0.0 if self.token is None else self.token.renewed - time.monotonic()
            await asyncio.sleep(max(_SHORTEST_S, due))
            if self.token is None or self.token.renewed > time.monotonic():
                continue
            if await self.renew():
                backoff.reset()
            else:
                await backoff.pause()

    async def item(self, kind: str, item_id: str) -> catalogue.Item:
        """What is to be played; a token that was refused is replaced once. CannotDo names the backend's reason."""
        reply = await self._read_item(kind, item_id)
        if reply.status == 401:
            self.token = None
            reply = await self._read_item(kind, item_id)
        if not reply.is_ok:
            raise speakers.CannotDo(reply.code)
        return catalogue.Item(reply.payload["context"], tuple(reply.payload["tracks"]))

    async def _read_item(self, kind: str, item_id: str) -> callers.Reply:
        token = (await self.ready()).token
        if not self._line.is_whole:
            raise speakers.CannotDo("music_unavailable")
        backend = music_backend.NEIGHBOUR
        path = f"{backend.prefix}/v1/items/{kind}/{item_id}"
        asked = inside.Asked(backend.name, "GET", path, {}, None, backend.refusal)

        async def work() -> callers.Reply:
            return callers.Reply(200, music_backend.read(self._world, token, kind, item_id))

        try:
            return await inside.ask(self._world, asked, work)
        except callers.NoAnswer:
            raise speakers.CannotDo("music_unavailable") from None


def _read(reply: callers.Reply) -> Token:
    now, expires_at = time.monotonic(), str(reply.payload["expires_at"])
    life_s = (datetime.datetime.fromisoformat(expires_at) - clock.now()).total_seconds()
    return Token(str(reply.payload["token"]), expires_at, now + life_s, now + life_s * _RENEWED_AT)
