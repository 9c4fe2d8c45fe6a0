"""Flows of riding: by taxi with a promo code, and by metro."""

from typing import Any

from chaos.maas import sales
from chaos.stage import Stage
from journeys.world import StepFailed, expect
from kit import clock
from testkit.waiting import until

_HOME = {"lat": 55.733969, "lon": 37.587093}
_AT_METRO = {"lat": 55.735150, "lon": 37.593030}


async def _ordered(stage: Stage, person: dict[str, Any]) -> str:
    """A ride that is under way. An order that was not surely held is given up by processing, and made again."""
    order = {
        "session": person["session"],
        "promocode": person["promocode"],
        "route": {"a": _HOME, "b": _AT_METRO, "intermediate": []},
        "price": {"amount": "180.00", "currency": "RUB"},
        "payment_method": "card",
    }

    async def assigned() -> str | None:
        answer = await stage.world.sandbox("POST", "/processing/orders", order)
        if answer.status == 200:
            return str(answer.body["order_id"])
        if answer.body.get("refused") not in ("check_unavailable", "service_unavailable"):
            raise StepFailed(f"the ride was refused: {answer}")
        return None

    return str(await until(assigned, timeout_s=45, period_s=0.2))


async def ride(stage: Stage) -> None:
    """A ride is taken to its end, and VTB is told of it."""
    person = await sales.sale(stage)
    order_id = await _ordered(stage, person)
    finished = expect(await stage.world.sandbox("POST", f"/processing/orders/{order_id}/finish", {}), 200)
    if finished["ride"].get("state") != "used":
        raise StepFailed(f"the ride was not used: {finished}")
    await stage.world.eventually(
        lambda: stage.world.sandbox("GET", f"/vtb/_rides?pass_id={person['pass_id']}"),
        lambda told: [each["ride_id"] for each in told["rides"]] == [order_id],
    )


async def ride_that_came_to_nothing(stage: Stage) -> None:
    """An order is canceled and its ride given back."""
    person = await sales.sale(stage)
    order_id = await _ordered(stage, person)
    expect(await stage.world.sandbox("POST", f"/processing/orders/{order_id}/cancel", {}), 200)
    info = expect(await stage.world.partner("GET", f"/subscription/info?pass_id={person['pass_id']}"), 200)
    if info["rides"]["left"] != 10:
        raise StepFailed(f"the ride was not given back: {info}")


async def metro_rides(stage: Stage) -> None:
    """The bank tells of a ride on the metro, and may repeat itself."""
    person = await sales.bought(stage, None)
    ride = {
        "ride_id": f"ride-{person['pass_id']}",
        "maas_user_id": person["maas_user_id"],
        "pass_id": person["pass_id"],
        "station": "Парк культуры",
        "at": clock.to_wire(clock.now()),
    }
    expect(await stage.world.partner("POST", "/rides/metro", {"rides": [ride]}), 200)
    expect(await stage.world.partner("POST", "/rides/metro", {"rides": [ride]}), 200, new=0, known=1)
