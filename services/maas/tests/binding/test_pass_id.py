"""A link names a subscription (MA-100): it is shown to the person who has it, and to nobody else."""

from typing import Any

import pytest

from kit import identity
from maas import config
from maas.binding import actions
from maas.subscriptions.model import Subscription, SubscriptionNotFound

ANNA = identity.Passenger("4001", flags=frozenset({"portal"}))


async def _subscription(world: Any, passenger: identity.Passenger = ANNA, pass_id: str | None = None) -> Subscription:
    ctx = world.maas.context
    return await actions.get_subscription(
        db=ctx.db,
        queue=ctx.queue,
        zalogin=ctx.zalogin,
        matching=ctx.dynamic.get(config.MATCHING),
        passenger=passenger,
        pass_id=pass_id,
    )


async def test_finds_the_named_one_else_the_live_one(world: Any) -> None:
    await world.with_promocode()
    await world.pass_time(days=31)
    await world.activated("pass-2")
    assert (await _subscription(world)).pass_id == "pass-2"
    assert (await _subscription(world, pass_id="pass-2")).yandex_uid == "4001"
    assert (await _subscription(world, pass_id="pass-1")).status == "expired"


@pytest.mark.parametrize("pass_id", ["pass-1", "pass-3", "pass-9"])
async def test_hides_other_peoples_reserved_and_unknown_ones(world: Any, pass_id: str) -> None:
    await world.activated("pass-1", "user-1")
    await world.reserved("pass-3", "user-3")
    await world.execute("UPDATE users.users SET yandex_uid = '4001', uid_kind = 'portal' WHERE maas_user_id = 'user-3'")
    with pytest.raises(SubscriptionNotFound):
        await _subscription(world, pass_id=pass_id)
    with pytest.raises(SubscriptionNotFound):
        await _subscription(world, identity.Passenger("4777"), pass_id)
