"""Histories: several clients at once do this and that with a few people's subscriptions, and all of it is written down.

A 2xx happened, a 4xx and a 503 did not; of anything else (500, 502, 504, no answer) nobody knows. What time does
(a reservation lapses, a subscription expires) is done by SQL, and is an operation like the others.
"""

import asyncio
import random
import secrets
from collections.abc import Sequence
from functools import partial

from chaos.linearizability import Operation, type_of_answer
from chaos.maas import asking, people
from chaos.maas.asking import SMALL, Subject
from chaos.maas.model import READS
from chaos.maas.person import RIDES_OF_TARIFF, Action
from chaos.recording import DID_NOT_HAPPEN, Recording
from chaos.stage import Stage
from chaos.weather import Gated
from journeys.world import expect
from kit import pg
from testkit.waiting import until

_THOUGHT_S = 0.15
_GIVES_UP = 0.3
_BY_TIME = {
    "lapse": """UPDATE subscriptions.subscriptions SET reserved_until = now() - interval '1 hour'
        WHERE pass_id = %(pass_id)s AND status = 'reserved' AND reserved_until > now()""",
    "expire": """UPDATE subscriptions.subscriptions SET expiration_datetime = now() - interval '1 hour'
        WHERE pass_id = %(pass_id)s AND status = 'activated' AND expiration_datetime > now()""",
}
# How often each is done, of a hundred or so.
WEIGHTS = {
    "start": 6,
    "reserve": 24,
    "extend": 6,
    "activate": 16,
    "cancel": 7,
    "info": 12,
    "latest": 8,
    "hold": 20,
    "complete": 10,
    "release": 6,
    "lapse": 3,
    "expire": 4,
}


class Recorder:
    """Does operations and writes them down; `chance` chooses them."""

    def __init__(self, gated: Gated, chance: random.Random) -> None:
        self._gated = gated
        self._chance = chance
        self._recording = Recording()
        self.outcomes = self._recording.outcomes

    @property
    def _stage(self) -> Stage:
        return self._gated.stage

    async def new_subject(self) -> Subject:
        """Somebody whose account is known, so that the promo code comes by itself."""
        person = await people.person(self._stage, uid_kind="portal")
        who = {"maas_user_id": person["maas_user_id"], "phone": person["phone"]}

        async def is_matched() -> bool:
            return bool(expect(await self._stage.world.partner("POST", "/users/create", who), 200)["matched"])

        await until(is_matched, timeout_s=30, period_s=0.1)
        return Subject(person["maas_user_id"], person["yandex_uid"], person["session"])

    async def look_at_codes(self, subjects: Sequence[Subject]) -> None:
        """What coupons has made by now: the codes with which rides may be paid."""
        made = expect(await self._stage.world.sandbox("GET", "/coupons/_codes"), 200)["codes"]
        for subject in subjects:
            own = [each for each in made if each["token"] in subject.passes]
            subject.codes = {each["token"]: each["promocode"] for each in own}

    async def sell(self, subject: Subject) -> str:
        """A small subscription, reserved and activated; its pass_id. AssertionError when that was refused."""
        subject.passes.append(f"pass-{secrets.token_hex(6)}")
        for kind, tariff in (("reserve", SMALL), ("activate", "")):
            said = await self.do(subject, Action(kind, subject.passes[-1], tariff))
            assert said is not None, f"no answer to {kind}"
            assert said[0] == "ok", f"{kind} was answered {said}"
        return subject.passes[-1]

    async def has_code(self, pass_id: str) -> bool:
        """Whether maas keeps a promo code of the subscription."""
        kept = "SELECT count(*) FROM subscriptions.subscriptions WHERE pass_id = %(pass_id)s AND promocode IS NOT NULL"
        return bool(await self._stage.databases["maas"].one(pg.value, kept, pass_id=pass_id))

    async def new_owner(self) -> tuple[Subject, str]:
        """Somebody new with a small subscription and its promo code; the pass_id."""
        subject = await self.new_subject()
        pass_id = await self.sell(subject)
        await until(lambda: self.has_code(pass_id), timeout_s=20, period_s=0.05)
        await self.look_at_codes([subject])
        return subject, pass_id

    async def work(self, subject: Subject, count: int) -> None:
        """One client: so many operations, one after the other; what nobody knows is mostly asked again."""
        action = self._chosen(subject)
        for _ in range(count):
            await asyncio.sleep(self._chance.uniform(0, _THOUGHT_S))
            said = await self.do(subject, action, timeout_s=self._chance.choice((0.3, 1.0, 3.0)))
            if said is not None or self._chance.random() < _GIVES_UP:
                action = self._chosen(subject)

    def _chosen(self, subject: Subject) -> Action:
        kind = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if kind == "hold" and not subject.codes:
            kind = "info"
        match kind:
            case "start":
                return Action(kind, tariff=self._chance.choice(sorted(RIDES_OF_TARIFF)))
            case "reserve":
                return self._new_sale(subject)
            case "latest":
                return Action(kind)
            case "hold":
                paying = self._one([each for each in subject.passes if each in subject.codes], "", 0.0)
                return Action(kind, paying, order_id=self._one(subject.orders, "order", 0.5))
            case "complete":
                keeps_rules = self._chance.random() < 0.8
                return Action(kind, order_id=self._one(subject.orders, "order", 0.05), keeps_rules=keeps_rules)
            case "release":
                return Action(kind, order_id=self._one(subject.orders, "order", 0.05))
        return Action(kind, self._one(subject.passes, "pass", 0.05))

    def _new_sale(self, subject: Subject) -> Action:
        tariff, token = self._chance.choice(sorted(RIDES_OF_TARIFF)), ""
        if subject.tokens and self._chance.random() < 0.5:
            token = self._one(list(subject.tokens), "", 0.0)
            tariff = token.split(" ")[1] if self._chance.random() < 0.8 else tariff
        return Action("reserve", self._one(subject.passes, "pass", 0.4), tariff, token=token)

    def _one(self, known: list[str], what: str, is_new: float) -> str:
        """One of the last three ids, or a new one."""
        if what and (not known or self._chance.random() < is_new):
            known.append(f"{what}-{secrets.token_hex(4)}")
            return known[-1]
        return self._chance.choice(known[-3:])

    async def do(self, subject: Subject, action: Action, *, timeout_s: float = 10.0) -> type_of_answer | None:
        """One operation, written down unless it surely did not happen, or was a look that saw nothing."""
        history: list[Operation[Action]] = []
        said = await self._recording.write(history, action, lambda: self._said(subject, action, timeout_s))
        if not (said is None and action.kind in READS):
            subject.history += history
        return said

    async def _said(self, subject: Subject, action: Action, timeout_s: float) -> type_of_answer | None:
        if action.kind not in _BY_TIME:
            return await asking.said(self._gated, subject, action, timeout_s)
        async with self._stage.databases["maas"].transaction() as tx:
            await tx.run("SET LOCAL session_replication_role = replica")
            return "ok", await tx.run(_BY_TIME[action.kind], pass_id=action.pass_id)

    async def finish(self, subject: Subject) -> None:
        """In good weather: what is held is given back, and a last look at everything."""
        ending = [Action("release", order_id=order_id) for order_id in subject.orders]
        for action in [*ending, *(Action("info", pass_id) for pass_id in subject.passes), Action("latest")]:
            await until(partial(self._is_answered, subject, action), timeout_s=10, period_s=0.1)

    async def _is_answered(self, subject: Subject, action: Action) -> bool:
        return await self.do(subject, action) not in (None, DID_NOT_HAPPEN)


async def lived(recorder: Recorder, subjects: Sequence[Subject], *, clients: int, operations: int) -> None:
    """So many clients for each person, and so many operations of each client."""
    looking = asyncio.create_task(_keep_looking(recorder, subjects))
    try:
        await asyncio.gather(*(recorder.work(each, operations) for each in subjects for _ in range(clients)))
    finally:
        looking.cancel()


async def _keep_looking(recorder: Recorder, subjects: Sequence[Subject]) -> None:
    while True:
        await recorder.look_at_codes(subjects)
        await asyncio.sleep(0.1)
