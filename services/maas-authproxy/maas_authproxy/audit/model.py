"""An entry of the trail."""

import datetime
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kit import clock

KEPT_DAYS = 180
_ID = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class Subject:
    """Which subscription and which person a request is about, where it says so."""

    pass_id: str | None = None
    maas_user_id: str | None = None


def subject_of(arguments: Any) -> Subject:
    """The subject in a request's body or query; what is not an id is left out, so that nothing else gets in here."""
    if not isinstance(arguments, Mapping):
        return Subject()
    return Subject(_id(arguments.get("pass_id")), _id(arguments.get("maas_user_id")))


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


@dataclass(frozen=True, slots=True)
class Who:
    """Whose request it is, as far as that is known, and when it came; `started` is a time of `time.perf_counter`."""

    partner: str | None
    key_id: str | None
    at: datetime.datetime = field(default_factory=clock.now)
    started: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request; partner and key are None where they are not known. `id` makes a repeated write harmless."""

    at: datetime.datetime
    partner: str | None
    key_id: str | None
    route: str
    method: str
    status: int
    duration_ms: int
    request_id: str
    pass_id: str | None
    maas_user_id: str | None
    id: uuid.UUID = field(default_factory=uuid.uuid4)
