"""Who the request is about: the passenger or the driver, as the authorising gateways say it in headers.

Only `passenger-authorizer` may set the passenger's headers and only `driver-authproxy` the driver's; from any other
caller they are not read at all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kit import errors

PASSENGER_GATEWAY = "passenger-authorizer"
DRIVER_GATEWAY = "driver-authproxy"
_UID = re.compile(r"[0-9]{1,20}")
_ID = re.compile(r"[!-~]{1,128}")


class Unauthorized(errors.Unauthorized):
    """The person is not authorised."""


@dataclass(frozen=True, slots=True)
class Passenger:
    """The person in the app; ids are opaque strings, `flags` holds `portal`, `phonish`, `ya-plus` and the like."""

    yandex_uid: str
    user_id: str | None = None
    phone_id: str | None = None
    personal_phone_id: str | None = None
    flags: frozenset[str] = field(default_factory=frozenset)
    bound_uids: tuple[str, ...] = ()
    remote_ip: str | None = None
    application: str | None = None

    @property
    def is_portal(self) -> bool:
        """True for a full account, False for one that is only a phone."""
        return "portal" in self.flags


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver in the taximeter."""

    park_id: str
    driver_profile_id: str
    application: str | None = None
    application_version: str | None = None


def _opaque(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    return value if value is not None and _ID.fullmatch(value) else None


def _listed(headers: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in headers.get(name, "").split(",") if part.strip())


def passenger(headers: Mapping[str, str]) -> Passenger:
    """The passenger of a request from the gateway; Unauthorized when there is no uid."""
    uid = headers.get("X-Yandex-UID", "")
    if not _UID.fullmatch(uid):
        raise Unauthorized
    user = dict(part.split("=", 1) for part in _listed(headers, "X-YaTaxi-User") if "=" in part)
    return Passenger(
        yandex_uid=uid,
        user_id=_opaque(headers, "X-YaTaxi-UserId"),
        phone_id=_opaque(headers, "X-YaTaxi-PhoneId"),
        personal_phone_id=_opaque(user, "personal_phone_id"),
        flags=frozenset(_listed(headers, "X-YaTaxi-Pass-Flags")),
        bound_uids=_listed(headers, "X-YaTaxi-Bound-Uids"),
        remote_ip=_opaque(headers, "X-Remote-IP"),
        application=headers.get("X-Request-Application"),
    )


def driver(headers: Mapping[str, str]) -> Driver:
    """The driver of a request from the gateway; Unauthorized when park or profile is missing."""
    park_id = _opaque(headers, "X-YaTaxi-Park-Id")
    profile_id = _opaque(headers, "X-YaTaxi-Driver-Profile-Id")
    if park_id is None or profile_id is None:
        raise Unauthorized
    return Driver(
        park_id, profile_id, headers.get("X-Request-Application"), headers.get("X-Request-Application-Version")
    )
