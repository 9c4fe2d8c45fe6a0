"""Rides, in the background."""

from kit import fields, stq
from maas.context import Context
from maas.rides import actions


class ReportSchema(fields.Strict):
    """Which ride."""

    order_id = fields.Id(required=True)


@stq.task("maas.ride.report", kwargs=ReportSchema(), max_attempts=None, max_age_s=7 * 86_400, backoff_s=(1.0, 3600.0))
async def report(ctx: Context, claim: stq.Claim) -> None:
    """Tells VTB of a taxi ride (MA-11). Idempotent: VTB knows a ride by its order."""
    await actions.report(db=ctx.db, vtb=ctx.vtb, **claim.kwargs)
