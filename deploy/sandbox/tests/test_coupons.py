"""coupons: one code per token for ever, and the question to maas."""

from typing import Any

import pytest

ROUTE = {"a": {"lat": 55.75, "lon": 37.61}, "b": {"lat": 55.76, "lon": 37.62}, "intermediate": []}
PRICE = {"amount": "210.00", "currency": "RUB"}
CHECK = "/coupons/couponcheck"
ASKED_OF_MAAS = "/maas/v1/check-promocode"


def asked(person: dict[str, str], code: str, **changes: Any) -> dict[str, Any]:
    base = {"promocode": code, "yandex_uid": person["yandex_uid"], "stage": "offer", "route": ROUTE, "price": PRICE}
    return base | {"payment_method": "card"} | changes


async def code_of(sandbox: Any, person: Any, **changes: Any) -> str:
    return str((await sandbox.promocode(person, **changes))[1]["promocode"])


async def test_gives_one_code_per_token(sandbox: Any) -> None:
    person = await sandbox.person()
    first = await sandbox.promocode(person)
    assert first[0] == 200
    assert first[1]["promocode"].startswith("METRO")
    assert await sandbox.promocode(person) == first
    assert (await sandbox.promocode(person, token="pass-2"))[1]["promocode"] != first[1]["promocode"]


async def test_refuses_another_uid_with_the_same_token(sandbox: Any) -> None:
    person = await sandbox.person()
    await sandbox.promocode(person)
    status, answer = await sandbox.promocode(person, yandex_uids=["1"])
    assert (status, answer["code"]) == (409, "token_conflict")


async def test_wants_the_token_in_the_header_too(sandbox: Any) -> None:
    person = await sandbox.person()
    status, answer = await sandbox.promocode(person, token="pass-1", yandex_uids=["1"])
    assert status == 200
    body = {"token": "pass-9", "series_id": "s", "yandex_uids": ["1"], "rides": 1}
    body |= {"expires_at": "2099-01-01T00:00:00+00:00", "service": "maas"}
    status, answer = await sandbox.call("POST", "/coupons/internal/generate", json=body)
    assert (status, answer["code"]) == (400, "contract_violation")


async def test_deactivates_again_and_again(sandbox: Any) -> None:
    code = await code_of(sandbox, await sandbox.person())
    for _ in range(2):
        ended = await sandbox.ok("POST", "/coupons/internal/deactivate", json={"promocode": code, "token": "pass-1"})
        assert ended == {"status": "deactivated"}
    foreign = {"promocode": code, "token": "pass-2"}
    assert (await sandbox.call("POST", "/coupons/internal/deactivate", json=foreign))[0] == 404


async def test_asks_maas_about_a_code(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    code = await code_of(sandbox, person)
    assert await sandbox.ok("POST", CHECK, None, json=asked(person, code)) == {"valid": True, "valid_any": True}
    [call] = maas.to(ASKED_OF_MAAS)
    assert call.caller == "coupons"
    assert call.body == asked(person, code)


async def test_passes_the_refusal_of_maas_on(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    code = await code_of(sandbox, person)
    refusal = {"valid": False, "valid_any": True, "code": "not_near_metro", "message": "Far.", "details": {"m": 1}}
    maas.answer(ASKED_OF_MAAS, 200, refusal)
    verdict = await sandbox.ok("POST", CHECK, None, json=asked(person, code))
    assert verdict == {
        "valid": False,
        "valid_any": True,
        "error_code": "not_near_metro",
        "message": "Far.",
        "details": {"m": 1},
    }


async def test_asks_again_when_maas_stumbles(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    code = await code_of(sandbox, person)
    maas.answer(ASKED_OF_MAAS, 503, {"code": "unavailable"}, times=2)
    assert (await sandbox.ok("POST", CHECK, None, json=asked(person, code)))["valid"] is True
    assert len(maas.to(ASKED_OF_MAAS)) == 3


async def test_refuses_the_code_when_maas_is_away(start: Any) -> None:
    sandbox = await start(services={"maas": "http://127.0.0.1:9"})
    person = await sandbox.person()
    code = await code_of(sandbox, person)
    verdict = await sandbox.ok("POST", CHECK, None, json=asked(person, code))
    assert verdict == {"valid": False, "valid_any": False, "error_code": "check_unavailable"}


@pytest.mark.parametrize(
    ("changes", "error_code"),
    [
        ({"promocode": "METRO000"}, "unknown_promocode"),
        ({"yandex_uid": "1"}, "promocode_of_another_user"),
    ],
)
async def test_does_not_trouble_maas_with_a_bad_code(sandbox: Any, maas: Any, changes: Any, error_code: str) -> None:
    person = await sandbox.person()
    code = await code_of(sandbox, person)
    verdict = await sandbox.ok("POST", CHECK, None, json=asked(person, code, **changes))
    assert verdict == {"valid": False, "valid_any": False, "error_code": error_code}
    assert maas.seen == []


async def test_refuses_ended_and_expired_codes(sandbox: Any, maas: Any) -> None:
    person = await sandbox.person()
    code = await code_of(sandbox, person)
    await sandbox.ok("POST", "/coupons/internal/deactivate", json={"promocode": code, "token": "pass-1"})
    old = await code_of(sandbox, person, token="pass-2", expires_at="2020-01-01T00:00:00+00:00")
    for spent, error_code in ((code, "promocode_deactivated"), (old, "promocode_expired")):
        assert (await sandbox.ok("POST", CHECK, None, json=asked(person, spent)))["error_code"] == error_code
    assert maas.seen == []
