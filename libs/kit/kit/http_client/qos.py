"""How long and how often: the quality of service of each neighbour, from the dynamic config `CLIENT_QOS` (PL-45)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from kit import dynconf

MOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Qos:
    """The time of one attempt in milliseconds, and how many attempts an idempotent call has."""

    timeout_ms: int = 500
    attempts: int = 2


class QosSchema(ma.Schema):
    """`{"timeout_ms": 500, "attempts": 2}`, loaded as `Qos`."""

    timeout_ms = ma.fields.Integer(required=True, strict=True, validate=ma.validate.Range(min=1, max=60_000))
    attempts = ma.fields.Integer(load_default=1, strict=True, validate=ma.validate.Range(min=1, max=MOST_ATTEMPTS))

    @ma.post_load
    def _qos(self, data: dict[str, int], **_: Any) -> Qos:
        return Qos(data["timeout_ms"], data["attempts"])


DEFAULT_QOS = Qos()

CLIENT_QOS = dynconf.Value(
    "CLIENT_QOS",
    ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Nested(QosSchema)),
    "Timeout and attempts by `neighbour/operation`, by `neighbour`, else `default`.",
    default={"default": DEFAULT_QOS},
)


def chosen(table: Mapping[str, Qos], neighbour: str, key: str) -> Qos:
    """The entry of `key` (`neighbour/operation`), else of the neighbour, else the default one."""
    return table.get(key) or table.get(neighbour) or table.get("default") or DEFAULT_QOS
