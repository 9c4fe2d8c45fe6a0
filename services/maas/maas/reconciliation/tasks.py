"""The daily comparison with the bank."""

from kit import fields, stq
from maas import config
from maas.context import Context
from maas.reconciliation import actions


@stq.task(
    actions.TASK,
    kwargs=fields.Strict(),
    time_limit_s=600,
    concurrency=1,
    max_attempts=None,
    max_age_s=20 * 3600,
    backoff_s=(5.0, 600.0),
)
async def compare(ctx: Context, claim: stq.Claim) -> None:
    """Compares statuses with the bank's. Idempotent: a day's comparison goes on from where it is, and ends once."""
    await actions.compare(
        db=ctx.db,
        vtb=ctx.vtb,
        limits=ctx.dynamic.get(config.RECONCILIATION),
        keep_days=ctx.dynamic.get(config.RETENTION_DAYS)["differences"],
    )
