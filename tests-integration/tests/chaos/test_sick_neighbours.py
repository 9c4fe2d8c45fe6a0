"""A neighbour that is dead, slow or lying: its routes answer a typed error in time, the others do not notice."""

import asyncio
import secrets
import time
import urllib.parse
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from chaos.gate import Gate
from journeys import metro_subscription
from journeys.world import World, expect
from local_stack import Stack
from testkit.waiting import until

ASKED = 60
AT_ONCE = 20
ANSWERED_WITHIN_S = 3.5
OTHERS_WITHIN_S = 1.0
HEALED_WITHIN_S = 5.0
# A tenth more calls, and the budget's first tokens.
MOST_RETRIES = 0.1 * ASKED + 5

ON_THE_WIRE: dict[str, Callable[[Gate], None]] = {
    "refuses_connections": lambda gate: gate.refuse(),
    "swallows_every_byte": lambda gate: gate.drop(),
    "answers_two_seconds_late": lambda gate: gate.delay(2.0),
    "answers_ten_bytes_a_second": lambda gate: gate.limit(10),
    "is_cut_off_in_its_answer": lambda gate: gate.cut_after(60),
    "answers_no_http": lambda gate: gate.corrupt(1, direction="to_client"),
}
IN_ITS_ANSWERS = ("error", "too_many", "garbage", "truncated")


class Patient:
    """`personal` behind a gate, beside a route that can't do without it and one that can."""

    def __init__(self, world: World, gate: Gate) -> None:
        self.world = world
        self.gate = gate
        self.pass_id = f"pass-{secrets.token_hex(4)}"

    async def register(self) -> tuple[int, str | None, float]:
        """Somebody new is registered; asked once. Status, code and seconds of the answer."""
        who = {"maas_user_id": secrets.token_hex(8), "phone": f"+7916{secrets.randbelow(10**7):07}"}
        began = time.monotonic()
        answer = await self.world.partner("POST", "/users/create", who, patient=False)
        return answer.status, answer.code, time.monotonic() - began

    async def register_many(self) -> list[tuple[int, str | None, float]]:
        """`ASKED` people, `AT_ONCE` of them together."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one() -> tuple[int, str | None, float]:
            async with gate:
                return await self.register()

        return await asyncio.gather(*(one() for _ in range(ASKED)))

    async def look(self) -> tuple[int, float]:
        """A route that asks no neighbour. Status and seconds."""
        began = time.monotonic()
        answer = await self.world.partner("GET", f"/subscription/status?pass_id={self.pass_id}", patient=False)
        return answer.status, time.monotonic() - began

    async def retries(self) -> float:
        """How often maas has asked `personal` again."""
        return sum(await self.world.metric("maas", "client_retries_total", neighbour="personal"))

    async def is_well(self) -> bool:
        return (await self.register())[0] == 200

    async def order(self, mode: str) -> None:
        """How `personal` itself behaves from now on."""
        expect(await self.world.sandbox("PUT", "/_faults/personal", {"mode": mode}), 200)


async def _sold(patient: Patient) -> None:
    who = {"maas_user_id": secrets.token_hex(8), "phone": f"+7916{secrets.randbelow(10**7):07}"}
    sale = {"pass_id": patient.pass_id, "maas_user_id": who["maas_user_id"], "tariff": metro_subscription.TARIFF}
    expect(await patient.world.partner("POST", "/users/create", who), 200)
    expect(await patient.world.partner("POST", "/subscription/reserve", sale), 200)


@pytest.fixture
async def patient(own_stack: Stack, told: Callable[[str], None]) -> AsyncIterator[Patient]:
    """maas that reaches `personal` through a gate."""
    usual = own_stack.environment["maas"]["MAAS_PERSONAL_URL"]
    address = urllib.parse.urlsplit(usual)
    async with Gate(str(address.hostname), int(address.port or 0)) as gate:
        gated = usual.replace(f":{address.port}/", f":{gate.port}/")
        await asyncio.to_thread(own_stack.restart, "maas", env={"MAAS_PERSONAL_URL": gated})
        try:
            async with World.opened(own_stack.description, told) as world:
                found = Patient(world, gate)
                await _sold(found)
                yield found
        finally:
            await asyncio.to_thread(own_stack.restart, "maas", env={"MAAS_PERSONAL_URL": usual})


async def _suffers(patient: Patient) -> None:
    before = await patient.retries()
    asking = asyncio.create_task(patient.register_many())
    others = [await patient.look() for _ in range(AT_ONCE)]
    answers = await asking
    assert {status for status, _, _ in answers} <= {502, 503, 504}
    assert all(code for _, code, _ in answers)
    assert max(seconds for _, _, seconds in answers) < ANSWERED_WITHIN_S
    assert {status for status, _ in others} == {200}
    assert max(seconds for _, seconds in others) < OTHERS_WITHIN_S
    assert await patient.retries() - before <= MOST_RETRIES


async def test_answers_in_time_whatever_ails_a_neighbour(patient: Patient, told: Callable[[str], None]) -> None:
    for ailment, strike in ON_THE_WIRE.items():
        strike(patient.gate)
        await _told(_suffers(patient), ailment, told)
        patient.gate.let_through()
        await until(patient.is_well, timeout_s=HEALED_WITHIN_S)
    for mode in IN_ITS_ANSWERS:
        await patient.order(mode)
        await _told(_suffers(patient), mode, told)
        await patient.order("ok")
        await until(patient.is_well, timeout_s=HEALED_WITHIN_S)


async def _told(work: Any, ailment: str, told: Callable[[str], None]) -> None:
    began = time.monotonic()
    try:
        await work
    except AssertionError as wrong:
        raise AssertionError(f"when personal {ailment}: {wrong}") from wrong
    told(f"{ailment}: suffered for {time.monotonic() - began:.1f} s")
