"""The calls of a history: who is asked what, once, and what the answer says in the words of the model."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chaos import recording
from chaos.linearizability import Impossible, Operation, type_of_answer
from chaos.maas import model
from chaos.maas.model import READS
from chaos.maas.person import Action, Person
from chaos.recording import DID_NOT_HAPPEN
from chaos.weather import Gated
from journeys.world import Answer
from local_stack import Stack

_OF_PROCESSING = {"hold": "/rides/hold", "complete": "/rides/complete", "release": "/rides/release"}
_OF_THE_BANK = {
    "reserve": "/subscription/reserve",
    "extend": "/subscription/extend",
    "activate": "/subscription/activate",
    "cancel": "/subscription/cancel",
}
_TARIFFS = {
    "metro-taxi-10": {"price": {"amount": "2990.00", "currency": "RUB"}, "taxi_rides": 10, "duration_days": 30},
    "metro-taxi-2": {"price": {"amount": "690.00", "currency": "RUB"}, "taxi_rides": 2, "duration_days": 7},
}
SMALL = "metro-taxi-2"
SMALL_TARIFF: dict[str, Any] = {"tariff_id": SMALL, "promocode_series_id": "maas-2", **_TARIFFS[SMALL]}
_ROUTE = {"a": {"lat": 55.733969, "lon": 37.587093}, "b": {"lat": 55.735150, "lon": 37.593030}, "intermediate": []}


@dataclass
class Subject:
    """One person, the ids that were used so far, the texts of codes and tokens, and what was done."""

    maas_user_id: str
    yandex_uid: str
    session: str
    passes: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    codes: Mapping[str, str] = field(default_factory=dict, repr=False)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    history: list[Operation[Action]] = field(default_factory=list, repr=False)

    def verdict(self) -> Impossible[Action, Person] | None:
        """What in the history can't have been."""
        return model.check(self.history)


@contextlib.contextmanager
def small_tariff(stack: Stack) -> Iterator[None]:
    """While inside, a tariff of two rides is sold as well, so that rides run out."""
    with tariffs(stack, SMALL_TARIFF):
        yield


@contextlib.contextmanager
def tariffs(stack: Stack, *more: Mapping[str, Any]) -> Iterator[None]:
    """While inside, these are in the config as well; it is read again about a second later."""
    file = Path(stack.folder / "config/maas.yaml")
    usual = file.read_text("utf-8")
    config = yaml.safe_load(usual)
    config["configs"]["MAAS_TARIFFS"] += more
    file.write_text(yaml.safe_dump(config), "utf-8")
    try:
        yield
    finally:
        file.write_text(usual, "utf-8")


async def said(gated: Gated, subject: Subject, action: Action, timeout_s: float) -> type_of_answer | None:
    """What came of a call that is made once: an answer of the model, DID_NOT_HAPPEN, or None: nobody knows."""
    answer = await _asked(gated, subject, action, timeout_s)
    if answer.status == 200:
        if action.kind == "start":
            _keep_token(gated, subject, answer.body)
        return _READERS.get(action.kind, _status)(answer.body)
    if answer.status in (429, 503):
        return DID_NOT_HAPPEN
    return ("refused", answer.code) if 400 <= answer.status < 500 else None


def _keep_token(gated: Gated, subject: Subject, body: Any) -> None:
    gated.stage.world.keep_secret(body["user_token"])
    subject.tokens[f"token-{len(subject.tokens)} {body['tariff_id']}"] = body["user_token"]


async def _asked(gated: Gated, subject: Subject, action: Action, timeout_s: float) -> Answer:
    world = gated.stage.world
    if action.kind in _OF_PROCESSING:
        url = f"{gated.url}/maas/v1{_OF_PROCESSING[action.kind]}"
        ticket = {"X-Ya-Service-Ticket": world.stack["tickets"]["processing"]}
        return await _call(gated, "POST", url, _order(subject, action), ticket, timeout_s)
    if action.kind == "start":
        url = world.url("sandbox") + "/passenger/4.0/maas/v1/purchase/start"
        session = {"Authorization": f"Bearer {subject.session}"}
        return await _call(gated, "POST", url, {"tariff_id": action.tariff}, session, timeout_s)
    edge = world.url("maas-authproxy") + "/maas-authproxy/v1"
    key = {"X-API-Key": world.stack["api_keys"]["vtb"]}
    if action.kind in READS:
        which = f"pass_id={action.pass_id}" if action.kind == "info" else f"maas_user_id={subject.maas_user_id}"
        return await _call(gated, "GET", f"{edge}/subscription/info?{which}", None, key, timeout_s)
    return await _call(gated, "POST", edge + _OF_THE_BANK[action.kind], _move(subject, action), key, timeout_s)


async def ask_maas(gated: Gated, path: str, body: Any) -> Answer:
    """One call to maas with the edge's own ticket."""
    ticket = {"X-Ya-Service-Ticket": gated.stage.world.stack["tickets"]["maas-authproxy"]}
    return await _call(gated, "POST", f"{gated.url}/maas/v1{path}", body, ticket, 10.0)


async def _call(gated: Gated, method: str, url: str, body: Any, headers: Mapping[str, str], timeout_s: float) -> Answer:
    return await recording.once(gated.stage.world.http, method, url, body, headers, timeout_s)


def sale(subject: Subject, pass_id: str, tariff: str = SMALL) -> dict[str, Any]:
    """The body of a reservation."""
    conditions = {"tariff_id": tariff, **_TARIFFS[tariff]}
    return {"pass_id": pass_id, "maas_user_id": subject.maas_user_id, "tariff": conditions}


def _move(subject: Subject, action: Action) -> dict[str, Any]:
    if action.kind != "reserve":
        return {"pass_id": action.pass_id}
    token = {"user_token": subject.tokens[action.token]} if action.token else {}
    return sale(subject, action.pass_id, action.tariff) | token


def _order(subject: Subject, action: Action) -> dict[str, Any]:
    order = {"order_id": action.order_id}
    if action.kind == "release":
        return order
    trip = {
        "route": _ROUTE,
        "price": {"amount": "180.00", "currency": "RUB"},
        "payment_method": "card" if action.keeps_rules else "cash",
    }
    if action.kind == "complete":
        return order | trip
    return order | trip | {"promocode": subject.codes[action.pass_id], "yandex_uid": subject.yandex_uid}


def _status(body: Any) -> type_of_answer:
    return "ok", body["status"]


def _done(body: Any) -> type_of_answer:
    return ("ok",)


def _info(body: Any) -> type_of_answer:
    rides = body["rides"]
    has_lapsed = body["cancel_reason"] == "reservation_expired"
    return "ok", body["pass_id"], body["status"], has_lapsed, rides["total"], rides["used"], rides["held"]


def _entry(body: Any) -> type_of_answer:
    return "ok", body["pass_id"], body["state"], body["code"]


_READERS: dict[str, Callable[[Any], type_of_answer]] = {
    "start": _done,
    "info": _info,
    "latest": _info,
    "hold": _entry,
    "complete": _entry,
    "release": _entry,
}
