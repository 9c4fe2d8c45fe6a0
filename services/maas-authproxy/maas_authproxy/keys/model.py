"""Keys and partners, and how a key that is presented is judged."""

import datetime
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kit import errors
from maas_authproxy.config import Rate, Scope, type_of_network

_RANDOM_BYTES = 32

type_of_address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ApiKeyInvalid(errors.Unauthorized):
    """The API key is missing, unknown or not in force."""


class ScopeMissing(errors.Forbidden):
    """This partner may not use this route."""


class AddressNotAllowed(errors.Forbidden):
    """This partner may not come from this address."""


@dataclass(frozen=True, slots=True)
class Partner:
    """Who may come in, where to, where from (without `networks`: from anywhere), and how often."""

    name: str
    scopes: frozenset[Scope]
    networks: tuple[type_of_network, ...] = ()
    rate: Rate | None = None

    def may_come_from(self, address: type_of_address | None) -> bool:
        """Whether a request from this address may be this partner's; None is an address that is not known."""
        return not self.networks or (address is not None and _is_in(address, self.networks))


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the config knows it; good from `not_before` on and before `not_after`."""

    key_id: str
    digest: bytes
    not_before: datetime.datetime | None = None
    not_after: datetime.datetime | None = None

    def is_in_force(self, now: datetime.datetime) -> bool:
        """True while the key's time has come and is not over."""
        has_begun = self.not_before is None or self.not_before <= now
        has_ended = self.not_after is not None and self.not_after <= now
        return has_begun and not has_ended


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a key: its partner, None when it is not good; `key_id` only of a key that the config knows."""

    partner: Partner | None
    key_id: str | None


# Stands in for unknown keys, so that they are hashed and compared like any other; nothing has its digest.
_NO_KEY = Key("", secrets.token_bytes(hashlib.sha256().digest_size))


class Keyring:
    """All keys of one version of the config, by key id."""

    def __init__(self, partners: Iterable[Mapping[str, Any]]) -> None:
        self._known: dict[str, tuple[Partner, Key]] = {}
        for each in partners:
            networks = tuple(each["networks"])
            partner = Partner(each["partner"], frozenset(each["scopes"]), networks, each["limits"])
            for key in each["keys"]:
                self._known[key["key_id"]] = partner, _key(key)

    def judge(self, presented: str, *, secret: str, now: datetime.datetime) -> Verdict:
        """Whose key this is. The same work is done for every text: one hash, one comparison in constant time."""
        partner, key = self._known.get(presented.partition(".")[0], (None, _NO_KEY))
        is_equal = hmac.compare_digest(digest(secret, presented), key.digest)
        is_good = is_equal & key.is_in_force(now)
        return Verdict(partner if is_good else None, key.key_id or None)


def _key(entry: Mapping[str, Any]) -> Key:
    return Key(entry["key_id"], bytes.fromhex(entry["hash"]), entry["not_before"], entry["not_after"])


def digest(secret: str, key: str) -> bytes:
    """sha256(secret + key) (MX-06)."""
    return hashlib.sha256((secret + key).encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the text for the partner, which is kept nowhere, and the entry for the config."""

    partner: str
    text: str
    entry: Mapping[str, str]


def new_key(partner: str, *, secret: str, not_after: datetime.datetime | None = None) -> NewKey:
    """A random key of `partner`."""
    key_id = f"{partner}-{secrets.token_hex(4)}"
    text = f"{key_id}.{secrets.token_urlsafe(_RANDOM_BYTES)}"
    entry = {"key_id": key_id, "hash": digest(secret, text).hex()}
    if not_after is not None:
        entry["not_after"] = not_after.isoformat(timespec="seconds")
    return NewKey(partner, text, entry)


def _is_in(address: type_of_address, networks: Iterable[type_of_network]) -> bool:
    return any(address in network for network in networks)


def client_of(peer: str, forwarded: str | None, proxies: tuple[type_of_network, ...]) -> type_of_address | None:
    """Where a request comes from: its peer, or where a trusted proxy says that it got the request.

    `forwarded` is X-Forwarded-For: each proxy adds its own peer at the end, so what is left of the last untrusted
    address is anybody's word. None when a trusted proxy says something that is not an address.
    """
    hops = [peer]
    if forwarded is not None and proxies:
        hops = [*forwarded.split(","), peer]
    address = None
    while hops:
        address = _address(hops.pop())
        if address is None or not _is_in(address, proxies):
            break
    return address


def _address(text: str) -> type_of_address | None:
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return (found.version == 6 and found.ipv4_mapped) or found
