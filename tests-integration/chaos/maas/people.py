"""Who flows of maas are about, and what they buy."""

import secrets
from typing import Any

from chaos.stage import Stage
from journeys.world import expect

TARIFF = {
    "tariff_id": "metro-taxi-10",
    "price": {"amount": "2990.00", "currency": "RUB"},
    "taxi_rides": 10,
    "duration_days": 30,
}


def new_sale(maas_user_id: str) -> dict[str, Any]:
    """The body of a reservation with a pass_id of its own."""
    return {"pass_id": f"pass-{secrets.token_hex(6)}", "maas_user_id": maas_user_id, "tariff": TARIFF}


async def person(stage: Stage, *, uid_kind: str | None) -> dict[str, Any]:
    """Somebody whom the bank registers by phone, known in taxi by an account of this kind or not at all."""
    phone = f"+7926{secrets.randbelow(10**7):07}"
    stage.world.keep_secret(phone)
    person: dict[str, Any] = {"phone": phone, "maas_user_id": f"maas-{secrets.token_hex(6)}"}
    if uid_kind is not None:
        person |= await joins_taxi(stage, phone, uid_kind)
    return person


async def joins_taxi(stage: Stage, phone: str, uid_kind: str) -> dict[str, Any]:
    """Their session and ids from now on."""
    door = {"phone": phone, "uid_kind": uid_kind, "in_taxi": True}
    return dict(expect(await stage.world.sandbox("POST", "/_people", door), 200))
