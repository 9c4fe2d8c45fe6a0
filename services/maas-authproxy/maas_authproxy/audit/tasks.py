"""Retention."""

from kit import fields, stq
from maas_authproxy.audit import actions
from maas_authproxy.context import Context


@stq.task("maas_authproxy.audit.purge", kwargs=fields.Strict(), time_limit_s=300, concurrency=1, max_attempts=5)
async def purge(ctx: Context, claim: stq.Claim) -> None:
    """Deletes entries of more than 180 days. Idempotent: what is deleted is not there any more."""
    await actions.purge(db=ctx.db)
