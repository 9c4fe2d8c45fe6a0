"""The calls of a history of music: who is asked what, and what the answer says in the words of the model."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from chaos.linearizability import Operation, type_of_answer
from chaos.music import requests
from chaos.music.order import Action
from chaos.music.polls import Poll
from chaos.music.requests import Driver, Request
from chaos.recording import DID_NOT_HAPPEN
from journeys.world import Answer
from kit import clock

_ARGS: dict[str, dict[str, Any]] = {
    "set_volume": {"volume": 40},
    "seek": {"position_ms": 1000},
    "play_item": {"type": "album", "id": "album-1"},
}


@dataclass
class Subject:
    """One order: who is in it, the ids that were used so far, what was done and what was seen."""

    order_id: str
    yandex_uid: str
    drivers: tuple[Driver, Driver]
    driver: Driver
    event_seq: int = 0
    command_ids: dict[str, str] = field(default_factory=dict)
    history: list[Operation[Action]] = field(default_factory=list, repr=False)
    polls: list[Poll] = field(default_factory=list, repr=False)

    @classmethod
    def new(cls) -> "Subject":
        """An order that music has not heard of."""
        drivers = Driver.new(), Driver.new()
        uid = str(4 * 10**9 + secrets.randbelow(10**9))
        return cls(f"order-{secrets.token_hex(6)}", uid, drivers, drivers[0])


def request(subject: Subject, action: Action) -> Request:
    driver = next((each for each in subject.drivers if each.profile_id == action.driver), subject.driver)
    match action.kind:
        case "command":
            return requests.command(
                subject.order_id, subject.yandex_uid, action.command_id, action.button, _ARGS.get(action.button, {})
            )
        case "pull":
            return requests.commands(driver, subject.order_id, after_seq=action.seq)
        case "report":
            return requests.update(driver, _reported(subject, action))
        case "assign":
            return requests.create(requests.assigned(subject.order_id, action.seq, subject.yandex_uid, driver))
    return requests.close(requests.finished(subject.order_id, action.seq))


def _reported(subject: Subject, action: Action) -> dict[str, Any]:
    track = f"{action.session}-{action.seq}"
    return {
        "order_id": subject.order_id,
        "device_session": action.session,
        "report_seq": action.seq,
        "state": requests.played("playing", track, action.seq % 101, clock.to_wire(clock.now())),
        "applied_seq": action.applied_seq,
        "results": requests.results(action.applied, action.failed),
    }


def read(action: Action, answer: Answer) -> type_of_answer | None:
    if answer.status == 200:
        match action.kind:
            case "command":
                return "ok", answer.body["seq"]
            case "pull" | "report":
                return "ok", tuple(each["seq"] for each in answer.body["commands"])
        return ("ok",)
    if answer.status in (429, 503):
        return DID_NOT_HAPPEN
    if 400 <= answer.status < 500:
        details = answer.body.get("details") or {}
        has_reason = answer.code in ("player_unavailable", "action_disallowed")
        return "refused", answer.code, details.get("reason", "") if has_reason else ""
    return None
