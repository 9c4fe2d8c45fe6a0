"""Service tickets: who is calling. A ticket is a JWT for the audience `taxi` whose subject ends in the caller's name.

In Kubernetes the ticket is the pod's projected ServiceAccount token; locally the stack runner issues one per caller
with `new_key`, `jwks` and `issue`.
"""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from kit import errors

HEADER = "X-Ya-Service-Ticket"
AUDIENCE = "taxi"
_ALGORITHMS = ("ES256", "RS256")
_REMEMBERED = 10_000


class TicketInvalid(errors.Unauthorized):
    """The service ticket is missing, expired, forged or meant for somebody else."""


class Source:
    """Our own ticket, read again from its file when the file was replaced (Kubernetes rotates it)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._ticket = ""
        self._looked_at = 0.0

    def header(self) -> str:
        """The ticket to send now; the file is looked at once a second at the most. OSError when it can't be read."""
        now = time.monotonic()
        if now - self._looked_at >= 1.0 or not self._ticket:
            self._looked_at = now
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._ticket = self._path.read_text("ascii").strip()
                self._stamp = stamp
        return self._ticket


class Verifier:
    """Checks tickets against the keys of a JWKS file; a good one is remembered until it expires."""

    def __init__(self, jwks_path: Path, audience: str = AUDIENCE) -> None:
        self._path = jwks_path
        self._audience = audience
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, Any] = {}
        self._remembered: dict[str, tuple[float, str]] = {}
        self._looked_at = 0.0
        self._reload()

    def verify(self, ticket: str | None) -> str:
        """The caller's name (`maas-authproxy`); TicketInvalid for anything but a good ticket."""
        if not ticket:
            raise TicketInvalid
        known = self._remembered.get(ticket)
        if known is not None and known[0] > time.time():
            return known[1]
        expires_at, caller = self._check(ticket)
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        self._remembered[ticket] = (expires_at, caller)
        return caller

    def _check(self, ticket: str) -> tuple[float, str]:
        try:
            key = self._key(str(jwt.get_unverified_header(ticket).get("kid", "")))
            claims = jwt.decode(
                ticket,
                key.key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                options={"require": ["exp", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            raise TicketInvalid from None
        parts = str(claims["sub"]).split(":")
        if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"] or not parts[3]:
            raise TicketInvalid
        return float(claims["exp"]), parts[3]

    def _key(self, kid: str) -> Any:
        now = time.monotonic()
        # An unknown key may be a new one, but strangers must not make us read the file for each request.
        if kid not in self._keys and now - self._looked_at >= 1.0:
            self._reload()
        try:
            return self._keys[kid]
        except KeyError:
            raise TicketInvalid from None

    def _reload(self) -> None:
        self._looked_at = time.monotonic()
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._stamp:
            return
        keys = jwt.PyJWKSet.from_json(self._path.read_text("utf-8")).keys
        self._keys = {str(key.key_id): key for key in keys if key.algorithm_name in _ALGORITHMS}
        self._remembered.clear()
        self._stamp = stamp


def new_key() -> str:
    """A new private key (P-256) as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def _public_jwk(pem: str) -> dict[str, Any]:
    private = load_pem_private_key(pem.encode("ascii"), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError("tickets are signed with P-256 keys")
    jwk: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return jwk | {"kid": jwk["x"][:16], "alg": "ES256", "use": "sig"}


def jwks(*pems: str) -> str:
    """The public halves of `pems` as a JWKS document."""
    return json.dumps({"keys": [_public_jwk(pem) for pem in pems]}, indent=2)


def issue(pem: str, caller: str, ttl_s: float, audience: str = AUDIENCE) -> str:
    """A ticket for `caller`, good for `ttl_s` seconds."""
    claims = {"aud": audience, "exp": int(time.time() + ttl_s), "sub": f"system:serviceaccount:taxi:{caller}"}
    return jwt.encode(claims, pem, algorithm="ES256", headers={"kid": _public_jwk(pem)["kid"]})
