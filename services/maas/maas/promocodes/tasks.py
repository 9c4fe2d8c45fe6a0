"""Promo codes, in the background."""

from kit import fields, stq
from maas.context import Context
from maas.promocodes import actions, model
from maas.subscriptions import schemas as subscriptions


@stq.task(
    "maas.promocode.issue",
    kwargs=subscriptions.PASS,
    max_attempts=None,
    max_age_s=model.GIVE_UP_AFTER.total_seconds(),
    backoff_s=(1.0, 600.0),
)
async def issue(ctx: Context, claim: stq.Claim) -> None:
    """Issues the code of one subscription (MA-48). Idempotent: coupons knows the pass_id, and a kept code stays."""
    await actions.issue(db=ctx.db, coupons=ctx.coupons, claim=claim, **claim.kwargs)


@stq.task(
    "maas.promocode.revoke", kwargs=subscriptions.PASS, max_attempts=None, max_age_s=7 * 86_400, backoff_s=(1.0, 600.0)
)
async def revoke(ctx: Context, claim: stq.Claim) -> None:
    """Ends the code of a revoked subscription at coupons. Idempotent: coupons ends a code once, and so do we."""
    await actions.revoke(db=ctx.db, coupons=ctx.coupons, claim=claim, **claim.kwargs)


@stq.task("maas.promocodes.reconcile", kwargs=fields.Strict(), time_limit_s=60, concurrency=1)
async def reconcile(ctx: Context, claim: stq.Claim) -> None:
    """Orders missing codes again, each minute. Idempotent: an order under way is not doubled."""
    await actions.reconcile(db=ctx.db, queue=ctx.queue)
