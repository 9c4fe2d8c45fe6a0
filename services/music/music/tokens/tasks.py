"""Temporary tokens, in the background."""

from kit import stq
from music.context import Context
from music.tokens import actions, schemas


@stq.task("music.token.revoke", kwargs=schemas.PLAYER, max_attempts=None, max_age_s=3 * 3600, backoff_s=(0.5, 30.0))
async def revoke(ctx: Context, claim: stq.Claim) -> None:
    """Ends the tokens of a closed player, until none can be good. Idempotent: an ended token is ended again."""
    await actions.revoke(db=ctx.db, music_backend=ctx.music_backend, **claim.kwargs)
