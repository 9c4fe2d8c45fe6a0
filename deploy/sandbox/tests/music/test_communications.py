"""Pushes: taken, sent once per token, and lost, late, doubled or overtaken on request."""

from typing import Any

import pytest

from testkit import waiting


async def fates(ride: Any) -> list[str]:
    return [one["fate"] for one in (await ride.sandbox.ok("GET", "/communications/_pushes", None))["pushes"]]


async def air(ride: Any, **changes: Any) -> None:
    await ride.sandbox.ok("PUT", "/communications/_air", None, json=changes)


async def received(ride: Any) -> int:
    return int(sum((await ride.heard())["pushes"].values()))


async def test_sends_a_push_once_per_token(ride: Any) -> None:
    first, again = await ride.push(1, "a"), await ride.push(1, "a")
    assert first == again
    assert await received(ride) == 1
    status, answer = await ride.push(2, "a")
    assert (status, answer["code"]) == (409, "idempotency_token_reused")
    await ride.push(2, "b")
    assert await received(ride) == 2
    assert await fates(ride) == ["delivered", "delivered"]


async def test_loses_the_ordered_share(ride: Any) -> None:
    await air(ride, loss_share=0.5)
    for number in range(4):
        assert (await ride.push(1, f"t{number}"))[0] == 200
    assert await fates(ride) == ["delivered", "lost"] * 2
    assert await received(ride) == 2


async def test_delivers_late(ride: Any) -> None:
    await air(ride, delay_ms=150)
    await ride.push(1, "a")
    assert (await fates(ride), await received(ride)) == (["under way"], 0)

    async def is_there() -> bool:
        return await received(ride) == 1

    await waiting.until(is_there)
    assert await fates(ride) == ["delivered"]


async def test_delivers_nothing_that_is_too_old(ride: Any) -> None:
    await air(ride, delay_ms=1_050)
    await ride.push(1, "a", ttl_s=1)

    async def is_late() -> bool:
        return await fates(ride) == ["late"]

    await waiting.until(is_late)
    assert await received(ride) == 0


async def test_delivers_twice(ride: Any) -> None:
    await air(ride, duplicates_share=1)
    await ride.push(1, "a")
    assert await received(ride) == 2


async def test_lets_the_next_one_overtake(ride: Any) -> None:
    await air(ride, is_reordered=True)
    await ride.push(1, "a")
    await ride.push(2, "b")
    assert await fates(ride) == ["under way", "delivered"]

    async def are_there() -> bool:
        return await fates(ride) == ["delivered"] * 2

    await waiting.until(are_there)


async def test_takes_pushes_for_nobody(ride: Any) -> None:
    await ride.push(1, "a", driver_profile_id="stranger")
    await ride.push(1, "b", park_id="another-park")
    assert await fates(ride) == ["nobody"] * 2
    assert await received(ride) == 0


async def test_travels_well_again_after_a_reset(ride: Any) -> None:
    await air(ride, loss_share=1)
    await ride.sandbox.ok("POST", "/_reset", None)
    await ride.push(1, "a")
    assert await fates(ride) == ["nobody"]


@pytest.mark.parametrize(
    "changes", [{"extra": 1}, {"code": "other"}, {"ttl_s": 0}, {"payload": {"order_id": "a"}}, {"park_id": None}]
)
async def test_refuses_a_broken_contract(ride: Any, changes: Any) -> None:
    status, answer = await ride.push(1, "a", **changes)
    assert (status, answer["code"]) == (400, "contract_violation")
    assert (await ride.sandbox.ok("GET", "/_stats", None))["contract_violations"] == {"communications": 1}


async def test_lets_music_alone_push(ride: Any) -> None:
    assert (await ride.sandbox.call("POST", "/communications/v1/driver-push", "maas", json={}))[0] == 403
