"""Settings from `MAAS_AUTHPROXY_*` and the names of the dynamic config."""

import enum
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import marshmallow
from marshmallow import fields as ma
from marshmallow import validate

from kit import config, dynconf, fields, http_client, process, web

PREFIX = "MAAS_AUTHPROXY_"
NAME_OF_PARTNER = r"[a-z][a-z0-9-]{0,31}"
_SHORTEST_SECRET = 16

type_of_network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True)
class KeySecret:
    """What is hashed together with every API key, so that the hashes alone are worth nothing (MX-06)."""

    key_secret: config.Secret = field(metadata={"help": "hashed with every API key, at least 16 characters"})

    def __post_init__(self) -> None:
        if len(self.key_secret.reveal()) < _SHORTEST_SECRET:
            raise ValueError(f"key_secret has less than {_SHORTEST_SECRET} characters")


@dataclass(frozen=True, kw_only=True)
class Config(KeySecret, process.Settings):
    """Where maas is, who stands before us, and how long strangers may take, on top of what every service reads."""

    maas_url: str
    trusted_proxies: tuple[str, ...] = field(
        default=(), metadata={"help": "networks whose X-Forwarded-For is believed, as 10.0.0.0/8"}
    )
    connections: int = field(default=4096, metadata={"help": "connections at once"})
    connections_per_client: int = field(default=256, metadata={"help": "of them from one address; 0 for no limit"})
    header_s: float = field(default=5.0, metadata={"help": "seconds from the first byte of a head to its last"})
    body_s: float = field(default=10.0, metadata={"help": "seconds for a body to arrive"})
    idle_s: float = field(default=75.0, metadata={"help": "seconds between requests"})
    write_s: float = field(default=20.0, metadata={"help": "seconds for an answer to be read"})

    def __post_init__(self) -> None:
        super().__post_init__()
        for text in self.trusted_proxies:
            try:
                ipaddress.ip_network(text)
            except ValueError:
                raise ValueError("trusted_proxies holds something that is not a network") from None


def limits_of(settings: Config) -> web.Limits:
    """What a connection to the API port may take."""
    return web.Limits(
        header_s=settings.header_s,
        body_s=settings.body_s,
        idle_s=settings.idle_s,
        write_s=settings.write_s,
        connections=settings.connections,
        connections_per_client=settings.connections_per_client or None,
    )


class Scope(enum.StrEnum):
    """A group of routes that a partner may be let into."""

    USERS = "users"
    SUBSCRIPTIONS = "subscriptions"
    TARIFFS = "tariffs"
    METRO = "metro"
    RIDES = "rides"


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


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second in the long run, and `burst` at once after a silence."""

    per_second: float
    burst: int


class RateSchema(fields.Strict):
    """A rate; below one request in a thousand seconds it would be a ban, and is said otherwise."""

    per_second = ma.Float(required=True, allow_nan=False, validate=validate.Range(min=0.001, max=10_000))
    burst = ma.Integer(required=True, strict=True, validate=validate.Range(min=1, max=1_000_000))

    @marshmallow.post_load
    def _rate(self, data: dict[str, Any], **_: Any) -> Rate:
        return Rate(**data)


class Network(ma.Field[type_of_network]):
    """A network as 192.0.2.0/24, or one address."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> type_of_network:
        try:
            return ipaddress.ip_network(value if isinstance(value, str) else "")
        except ValueError:
            raise marshmallow.ValidationError("Not a network like 192.0.2.0/24.") from None


class PartnerSchema(fields.Strict):
    """A partner, the groups of routes open to it, and its keys; several overlap while one replaces another.

    Where `networks` are named, its keys are good from there alone; `limits` are its own instead of everybody's.
    """

    partner = ma.String(required=True, validate=validate.Regexp(NAME_OF_PARTNER + r"\Z"))
    scopes = ma.List(ma.Enum(Scope, by_value=True), required=True)
    keys = ma.List(ma.Nested(KeySchema), required=True)
    networks = ma.List(Network(), load_default=(), validate=validate.Length(min=1))
    limits = ma.Nested(RateSchema, load_default=None)


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
LIMITS = dynconf.Value(
    "MAAS_AUTHPROXY_LIMITS",
    ma.Nested(RateSchema),
    doc="What a partner without limits of its own may ask of one process",
    default=Rate(per_second=100.0, burst=200),
)
FAILURES = dynconf.Value(
    "MAAS_AUTHPROXY_FAILURES",
    ma.Nested(RateSchema),
    doc="How often one address may bring a bad key to one process before it is told to wait",
    default=Rate(per_second=10.0, burst=100),
)
VALUES = (PARTNERS, OLD_PATHS, LIMITS, FAILURES, http_client.CLIENT_QOS)
