"""Purchase tokens (MA-45 e, MA-57, MA-58): one purchase each, for one person and tariff, nowhere in clear."""

import asyncio
from typing import Any

import pytest

from kit import config, pg
from maas.tokens import actions, model

SALT = config.Secret("a salt of sixteen or more")
OURS = {"maas_user_id": "user-1", "tariff_id": "metro-taxi-10"}


async def _issued(world: Any, ttl_s: int = 1800) -> str:
    db = world.maas.context.db
    issued = await actions.issue(db=db, salt=SALT, yandex_uid="4001", ttl_s=ttl_s, **OURS)
    assert issued.token not in repr(issued)
    return issued.token


async def _check(world: Any, token_in_clear: str, **changed: Any) -> bytes:
    args: dict[str, Any] = {"salt": SALT, "token": token_in_clear} | OURS | changed
    return await actions.check(db=world.maas.context.db, **args)


async def _spend(world: Any, token_hash: bytes, pass_id: str, then: str = "SELECT 1") -> None:
    async with world.maas.context.db.transaction() as tx:
        await actions.spend(tx=tx, token_hash=token_hash, pass_id=pass_id)
        await tx.run(then)


async def test_takes_a_token_for_what_it_was_issued_for(world: Any) -> None:
    token = await _issued(world)
    assert await _check(world, token) == model.hash_of(token, SALT)


@pytest.mark.parametrize(
    "changed",
    [
        {"maas_user_id": "user-2"},
        {"tariff_id": "metro-taxi-20"},
        {"token": "unknown"},
        {"token": ""},
        {"salt": config.Secret("another salt, as long as that")},
    ],
)
async def test_refuses_it_for_anything_else(world: Any, changed: Any) -> None:
    token = await _issued(world)
    with pytest.raises(model.UserTokenMismatch):
        await _check(world, token, **changed)


async def test_refuses_an_expired_one(world: Any) -> None:
    token = await _issued(world, ttl_s=60)
    token_hash = await _check(world, token)
    await world.pass_time_of("users", seconds=61)
    with pytest.raises(model.UserTokenMismatch):
        await _check(world, token)
    with pytest.raises(model.UserTokenMismatch):
        await _spend(world, token_hash, "pass-1")


async def test_is_spent_once_by_the_faster_of_many(world: Any) -> None:
    token = await _issued(world)
    token_hash = await _check(world, token)
    attempts = [_spend(world, token_hash, f"pass-{number}") for number in range(8)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert outcomes.count(None) == 1
    assert all(isinstance(outcome, model.UserTokenMismatch) for outcome in outcomes if outcome is not None)
    db, winner = world.maas.context.db, f"pass-{outcomes.index(None)}"
    assert await actions.is_of(db=db, salt=SALT, token=token, pass_id=winner)
    assert not await actions.is_of(db=db, salt=SALT, token=token, pass_id="pass-9")
    with pytest.raises(model.UserTokenMismatch):
        await _check(world, token)


async def test_is_free_again_when_its_purchase_is_rolled_back(world: Any) -> None:
    token_hash = await _check(world, token := await _issued(world))
    with pytest.raises(pg.StatementFailed):
        await _spend(world, token_hash, "pass-1", then="SELECT 1 / 0")
    assert await _check(world, token) == token_hash


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("used_by_pass_id = NULL", "purchase_tokens_used_once"),
        ("used_by_pass_id = 'pass-2'", "purchase_tokens_used_once"),
        ("maas_user_id = 'user-2'", "purchase_tokens_identity"),
        ("expires_at = expires_at + interval '1 day'", "purchase_tokens_identity"),
    ],
)
async def test_stays_spent_whatever_a_program_does(world: Any, change: str, constraint: str) -> None:
    await _spend(world, await _check(world, await _issued(world)), "pass-1")
    with pytest.raises(pg.RaisedByTrigger) as raised:
        await world.execute(f"UPDATE users.purchase_tokens SET {change}")
    assert raised.value.constraint == constraint


async def test_buys_one_pass_with_one_token(world: Any) -> None:
    await _spend(world, await _check(world, await _issued(world)), "pass-1")
    with pytest.raises(pg.UniqueViolation):
        await _spend(world, await _check(world, await _issued(world)), "pass-1")


async def test_keeps_nothing_in_clear(world: Any) -> None:
    token = await _issued(world)
    (row,) = await world.maas.context.db.all(dict, "SELECT * FROM users.purchase_tokens")
    assert bytes(row.pop("token_hash")) == model.hash_of(token, SALT)
    assert token not in str(row)


async def test_forgets_what_expired_long_ago(world: Any) -> None:
    await _issued(world)
    await world.pass_time_of("users", days=31)
    await _issued(world)
    assert await world.runs("maas.tokens.purge") == ["done"]
    (left,) = await world.maas.context.db.all(dict, "SELECT expires_at > now() AS is_fresh FROM users.purchase_tokens")
    assert left["is_fresh"]
