"""What the periodic tasks of maas and its edge find to do; a task that is not here finds something always."""

from chaos.maas import sales
from chaos.stage import Stage
from chaos.trial import type_of_flow
from journeys.world import expect
from testkit.waiting import until


async def _lost_code(stage: Stage) -> None:
    """A subscription whose promo code nobody is about to issue."""
    expect(await stage.world.sandbox("PUT", "/_faults/coupons", {"mode": "down"}), 200)
    person = await sales.bought(stage, "portal")
    lost = "DELETE FROM stq.tasks WHERE queue = 'maas.promocode.issue' AND task_id = %(pass_id)s AND state = 'waiting'"
    await until(lambda: stage.databases["maas"].run(lost, pass_id=person["pass_id"]), timeout_s=30)
    expect(await stage.world.sandbox("DELETE", "/_faults"), 200)


async def _old_stations(stage: Stage) -> None:
    """A catalogue of another version."""
    await stage.as_time("maas", "UPDATE metro.catalogue SET version = 'former'")


async def _old_trail(stage: Stage) -> None:
    """An audit trail whose first entries are too old to be kept."""
    await stage.as_time(
        "maas-authproxy", "UPDATE audit.requests SET at = at - interval '181 days' WHERE at < now() - interval '1 s'"
    )


async def _not_compared(stage: Stage) -> None:
    """A subscription that the bank does not know, on a day that has not been compared."""
    await sales.bought(stage, None)
    await stage.databases["maas"].run("DELETE FROM subscriptions.comparisons")


PREPARED: dict[str, type_of_flow] = {
    "maas.subscriptions.settle": sales.unpaid,
    "maas.promocodes.reconcile": _lost_code,
    "maas.metro.refresh": _old_stations,
    "maas.reconciliation.compare": _not_compared,
    "maas_authproxy.audit.purge": _old_trail,
}
