"""maas before the harness."""

from chaos.maas import flows, invariants, ticks
from chaos.stage import Stage
from chaos.trial import Trial

_COMMANDS = "operators' commands are processes of their own"
_TO_OTHERS = "neither service enqueues a task for another one yet"


async def _is_served(stage: Stage) -> bool:
    answer = await stage.world.partner("GET", "/subscription/status?pass_id=nobodys", patient=False)
    return answer.status == 404


MAAS = Trial(
    service="maas",
    edges={"maas-authproxy": "MAAS_AUTHPROXY_MAAS_URL"},
    flows=flows.FLOWS,
    ticks=ticks.PREPARED,
    unreached={
        "kit.stq.operating.*": _COMMANDS,
        "maas.support.*": _COMMANDS,
        "maas.promocodes.actions.reissue:*": _COMMANDS,
        "maas.reconciliation.actions.order:*": _COMMANDS,
        "kit.stq.outbox.delete:*": _TO_OTHERS,
        "kit.stq.outbox.postpone:*": _TO_OTHERS,
        "stq.relay:*": _TO_OTHERS,
    },
    broken=invariants.broken,
    is_served=_is_served,
    schemas=("users", "subscriptions"),
    tries_the_queue=True,
    is_in_the_world=True,
)
