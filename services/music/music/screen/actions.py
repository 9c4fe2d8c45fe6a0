"""Answering polls from memory."""

from typing import NamedTuple

from kit import caches as cached
from kit import metrics
from music.players import model as players
from music.screen import model, queries

PLAYERS = cached.Keyed("players", channel=players.CHANNEL, load=queries.list_screens)

_POLLS = metrics.counter("music_polls_total", "Polls of the player by outcome (M-13, M-29)", ("outcome",))
_count_shown = _POLLS.labels("200").inc
_count_unchanged = _POLLS.labels("304").inc
_count_refused = _POLLS.labels("406").inc
_WAITING = metrics.gauge("music_polls_waiting", "Clients that wait for a change of their player")


class Poll(NamedTuple):
    """Who asks for which order; `if_none_match` names what the client has, for a change of which it waits `wait_s`."""

    yandex_uid: str
    order_id: str
    if_none_match: str | None
    wait_s: float


async def look(*, caches: cached.Caches, poll: Poll) -> tuple[model.Screen, bool]:
    """The screen, and whether it is news to the client (M-13). PlayerUnavailable, VersionMalformed, NotLoaded.

    A client that names a version above the one in memory has heard of it from another process: the database is asked.
    """
    found = caches.peek(PLAYERS, poll.order_id)
    if isinstance(found, cached.Unknown):
        found = await caches.read(PLAYERS, poll.order_id)
    if_none_match = poll.if_none_match
    if if_none_match is None:
        screen = _allowed(found, poll)
        _count_shown()
        return screen, True
    if found is None or if_none_match != found.if_none_match:
        seen = model.seen(if_none_match)
        if found is None or (found.yandex_uid == poll.yandex_uid and found.version < seen.newest):
            found = await caches.read(PLAYERS, poll.order_id, at_least=seen.newest)
        screen = _allowed(found, poll)
        if not seen.has(screen.version):
            _count_shown()
            return screen, True
    screen = _allowed(found, poll)
    if poll.wait_s > 0:
        return await _changed(caches, poll, screen)
    _count_unchanged()
    return screen, False


async def _changed(caches: cached.Caches, poll: Poll, seen: model.Screen) -> tuple[model.Screen, bool]:
    _WAITING.inc()
    try:
        found = await caches.wait(PLAYERS, poll.order_id, beyond=seen.version, timeout_s=poll.wait_s)
    finally:
        _WAITING.dec()
    screen = _allowed(found, poll)
    is_news = screen.version != seen.version
    (_count_shown if is_news else _count_unchanged)()
    return screen, is_news


def _allowed(screen: model.Screen | None, poll: Poll) -> model.Screen:
    """The screen of an active player; another's order has none, so that nothing can be learnt (M-29)."""
    if screen is not None and screen.refusal is None and screen.yandex_uid == poll.yandex_uid:
        return screen
    _count_refused()
    is_own = screen is not None and screen.yandex_uid == poll.yandex_uid
    raise players.PlayerUnavailable(reason=screen.refusal if screen is not None and is_own else players.NO_PLAYER)


async def is_enabled(*, caches: cached.Caches, order_id: str, yandex_uid: str) -> bool:
    """Whether this person's ride has music now (M-27). NotLoaded."""
    screen = await caches.read(PLAYERS, order_id)
    return screen is not None and screen.refusal is None and screen.yandex_uid == yandex_uid
