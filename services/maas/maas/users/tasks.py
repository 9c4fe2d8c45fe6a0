"""What time does to people."""

from kit import fields, stq
from maas import config
from maas.context import Context
from maas.users import actions


@stq.task("maas.users.purge", kwargs=fields.Strict(), time_limit_s=300, concurrency=1)
async def purge(ctx: Context, claim: stq.Claim) -> None:
    """Forgets strangers not seen for long. Idempotent: who is forgotten is not found again."""
    await actions.purge(db=ctx.db, days=ctx.dynamic.get(config.RETENTION_DAYS)["unmatched_users"])
