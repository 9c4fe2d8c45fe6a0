"""The flows that reach the durable boundaries of maas and its edge: each a short story told by a good client.

A flow is played by new people each time and ends when its outcome is there, whoever was killed on the way. A new route
is a new entry of `FLOWS`; what periodic tasks find to do is in `ticks`.
"""

import secrets

import orjson

from chaos.maas import rides, sales
from chaos.stage import Stage
from chaos.trial import Flow
from journeys.world import expect
from testkit.waiting import until


async def message(stage: Stage) -> None:
    """A task comes as a message of another service, carried by RabbitMQ."""
    task_id = f"from-outside-{secrets.token_hex(4)}"
    body = {"message_id": task_id, "task_id": task_id, "queue": "maas.ride.report", "kwargs": {"order_id": task_id}}
    await until(lambda: stage.broker.is_connected, timeout_s=20)
    await stage.broker.publish("maas.ride.report", orjson.dumps(body), message_id=task_id)
    await stage.done("maas", task_id)


async def slow_neighbour(stage: Stage) -> None:
    """A task takes longer than a heartbeat, which comes every three seconds."""
    expect(await stage.world.sandbox("PUT", "/_faults/coupons", {"mode": "slow", "delay_ms": 4500, "times": 1}), 200)
    await sales.sale(stage)


FLOWS: dict[str, Flow] = {
    "sale": Flow(sales.sale),
    "refused payment": Flow(sales.refused_payment),
    "slow payment": Flow(sales.slow_payment),
    "paid too late": Flow(sales.paid_too_late),
    # A search for an account that died is made again after this pause, ten seconds by default.
    "bought in the metro": Flow(sales.bought_in_the_metro, {"MAAS_MATCHING": {"retry_after_s": 1}}),
    "shortcut": Flow(sales.shortcut),
    "purchase in the app": Flow(sales.purchase_in_the_app),
    "stranger": Flow(sales.stranger),
    "matched by phone id": Flow(sales.sale, {"MAAS_MATCHING": {"by": "phone_id"}}),
    "another phone": Flow(sales.another_phone, {"MAAS_PHONE_CHANGE_ALLOWED": True}),
    "ride": Flow(rides.ride),
    "ride that came to nothing": Flow(rides.ride_that_came_to_nothing),
    "metro rides": Flow(rides.metro_rides),
    "revoked": Flow(sales.revoked),
    "message": Flow(message),
    "slow neighbour": Flow(slow_neighbour, {"CLIENT_QOS": {"default": {"timeout_ms": 8000, "attempts": 1}}}),
}
