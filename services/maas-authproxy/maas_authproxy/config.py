"""Settings from `MAAS_AUTHPROXY_*` and the names of the dynamic config."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import marshmallow
from marshmallow import fields as ma
from marshmallow import validate

from kit import config, dynconf, fields, http_client, process

PREFIX = "MAAS_AUTHPROXY_"
NAME_OF_PARTNER = r"[a-z][a-z0-9-]{0,31}"
_SHORTEST_SECRET = 16


@dataclass(frozen=True, kw_only=True)
class KeySecret:
    """What is hashed together with every API key, so that the hashes alone are worth nothing (MX-06)."""

    key_secret: config.Secret = field(metadata={"help": "hashed with every API key, at least 16 characters"})

    def __post_init__(self) -> None:
        if len(self.key_secret.reveal()) < _SHORTEST_SECRET:
            raise ValueError(f"key_secret has less than {_SHORTEST_SECRET} characters")


@dataclass(frozen=True, kw_only=True)
class Config(KeySecret, process.Settings):
    """Where maas is, on top of what every service reads."""

    maas_url: str


class Scope(enum.StrEnum):
    """A group of routes that a partner may be let into."""

    USERS = "users"
    SUBSCRIPTIONS = "subscriptions"
    METRO = "metro"


class KeySchema(fields.Strict):
    """An API key by its hash; without bounds it is good at all times."""

    key_id = ma.String(required=True, validate=validate.Regexp(r"[a-z0-9-]{1,64}\Z"))
    hash = ma.String(required=True, validate=validate.Regexp(r"[0-9a-f]{64}\Z"))
    not_before = fields.Moment(load_default=None)
    not_after = fields.Moment(load_default=None)

    @marshmallow.validates_schema
    def _is_ever_good(self, data: dict[str, Any], **_: Any) -> None:
        if data["not_before"] and data["not_after"] and data["not_after"] <= data["not_before"]:
            raise marshmallow.ValidationError("Ends before it begins.", "not_after")


class PartnerSchema(fields.Strict):
    """A partner, the groups of routes open to it, and its keys; several overlap while one replaces another."""

    partner = ma.String(required=True, validate=validate.Regexp(NAME_OF_PARTNER + r"\Z"))
    scopes = ma.List(ma.Enum(Scope, by_value=True), required=True)
    keys = ma.List(ma.Nested(KeySchema), required=True)


def _has_no_twins(partners: Sequence[Mapping[str, Any]]) -> None:
    names = [partner["partner"] for partner in partners]
    key_ids = [key["key_id"] for partner in partners for key in partner["keys"]]
    for found in (names, key_ids):
        if len(set(found)) != len(found):
            raise marshmallow.ValidationError("A partner or a key_id is there twice.")


PARTNERS = dynconf.Value(
    "MAAS_AUTHPROXY_PARTNERS",
    ma.List(ma.Nested(PartnerSchema), validate=_has_no_twins),
    doc="Who may come in, and with which keys; nobody else may (MX-06, MA-17)",
)
OLD_PATHS = dynconf.Value(
    "MAAS_AUTHPROXY_OLD_PATHS",
    ma.Boolean(truthy={True}, falsy={False}),
    doc="Whether the paths of the first agreement, /maas-external/v1/, are served as well",
    default=False,
)
VALUES = (PARTNERS, OLD_PATHS, http_client.CLIENT_QOS)
