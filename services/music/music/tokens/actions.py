"""Asking for temporary tokens, and revoking them."""

import uuid

from clients import music_backend as backend
from kit import http_client, metrics, pg, stq
from music.players import actions as players
from music.players.model import PlayerClosed
from music.tokens import model, queries

_REVOKED = metrics.counter("music_tokens_revoked_total", "Grants that were ended since their player closed")


async def issue(
    *, db: pg.Database, queue: stq.Queue, music_backend: backend.MusicBackend, asked: model.Asked
) -> backend.Token:
    """A token for the driver's active player (M-11), the same one until half of its life is over.

    NotYourPlayer, PlayerClosed (also when it closed meanwhile), and whatever the backend fails with: then nothing is
    lost, the same grant is asked for again.
    """
    grant = await _intended(db, asked)
    try:
        token = await _asked(music_backend, grant)
    except backend.TokenRevoked:
        # The player closed, which the second intent says; or the backend ended it by itself.
        await queries.mark_revoked(db, grant.grant_id)
        grant = await _intended(db, asked)
        token = await _asked(music_backend, grant)
    await _note(db, queue, grant, token)
    return token


async def _intended(db: pg.Database, asked: model.Asked) -> backend.Grant:
    """The player's grant, known to us before anybody is asked for it."""
    async with db.transaction() as tx:
        player = await players.lock_for_driver(tx=tx, order_id=asked.order_id, driver=asked.driver)
        grant = await queries.find_live(tx, player.player_id)
        if grant is None:
            grant = await queries.insert(
                tx, uuid.uuid4().hex, player_id=player.player_id, order_id=player.order_id, ttl_s=asked.ttl_s
            )
    return backend.Grant(
        grant_id=grant.grant_id,
        yandex_uid=player.yandex_uid,
        order_id=player.order_id,
        park_id=player.driver.park_id,
        driver_profile_id=player.driver.driver_profile_id,
        ttl_s=grant.ttl_s,
    )


async def _asked(music_backend: backend.MusicBackend, grant: backend.Grant) -> backend.Token:
    try:
        return await music_backend.issue_token(grant)
    except http_client.NeighbourUnavailable as failure:
        # The grant is noted by now: "nothing was done" is not true any more.
        raise http_client.NeighbourFailed(**failure.details) from failure


async def _note(db: pg.Database, queue: stq.Queue, grant: backend.Grant, token: backend.Token) -> None:
    """Keeps until when the token is good; PlayerClosed when its player is not there any more to use it."""
    async with db.transaction() as tx:
        holder = await queries.mark_issued(tx, grant.grant_id, token.expires_at)
        if holder is not None and not holder.is_active:
            await order_revocation(tx=tx, queue=queue, player_id=holder.player_id)
    if holder is None or not holder.is_active:
        raise PlayerClosed(reason=holder and holder.close_reason)


async def order_revocation(*, tx: pg.Transaction, queue: stq.Queue, player_id: str) -> None:
    """Has the tokens of a player that closes ended after this transaction, where any may still be good."""
    if await queries.has_living(tx, player_id):
        kwargs = {"player_id": player_id}
        await queue.enqueue(tx, "music.token.revoke", task_id=player_id, kwargs=kwargs, again=True)


async def revoke(*, db: pg.Database, music_backend: backend.MusicBackend, player_id: str) -> None:
    """Ends every token of a closed player that may still be good, also one of which nobody knows whether it exists.

    One that the backend does not end keeps none of the others alive; its failure is raised at the end.
    """
    failures = list[http_client.Failure]()
    for grant_id in await queries.list_to_revoke(db, player_id):
        try:
            await music_backend.revoke_token(grant_id)
        except http_client.Failure as failure:
            failures.append(failure)
            continue
        _REVOKED.inc(await queries.mark_revoked(db, grant_id))
    if failures:
        raise failures[0]
