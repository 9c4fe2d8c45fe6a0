"""Service tickets: who is calling. A ticket is a JWT for the audience `taxi` whose subject ends in the caller's name.

In Kubernetes the ticket is the pod's projected ServiceAccount token; locally the stack runner issues one per caller
with `new_key`, `jwks` and `issue`, or by hand:

    python -m kit.tickets keygen DIR
    python -m kit.tickets issue --key DIR/private.pem --caller maas --days 30
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from kit import errors, logs

HEADER = "X-Ya-Service-Ticket"
AUDIENCE = "taxi"
_ALGORITHMS = ("ES256", "RS256")
_SUBJECT = re.compile(r"system:serviceaccount:taxi:([a-z0-9][a-z0-9.-]{0,252})")
_LONGEST = 4096
_REMEMBERED = 1000
_LOOK_S = 1.0


class TicketInvalid(errors.Unauthorized):
    """The service ticket is missing, expired, forged or meant for somebody else."""


class KeysBroken(ValueError):
    """The JWKS file can't be read, or holds no key that tickets are signed with."""


class Source:
    """Our own ticket, read again from its file when the file was replaced (Kubernetes rotates it)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._ticket = ""
        self._look_at = 0.0

    def header(self) -> str:
        """The ticket to send now; the file is looked at once a second at the most.

        OSError or ValueError when there has never been a ticket in it; later the last one stays in force.
        """
        now = time.monotonic()
        if now >= self._look_at:
            try:
                self._look()
            except (OSError, ValueError) as broken:
                if not self._ticket:
                    raise
                logs.warning("ticket_file_broken", error=type(broken).__name__)
            self._look_at = now + _LOOK_S
        return self._ticket

    def _look(self) -> None:
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            ticket = self._path.read_text("ascii").strip()
            if not ticket:
                raise ValueError(f"the ticket file {self._path} is empty")
            self._ticket, self._stamp = ticket, stamp


class Verifier:
    """Checks tickets against the keys of a JWKS file; a good one is remembered until it expires or its key goes."""

    def __init__(self, jwks_path: Path, audience: str = AUDIENCE) -> None:
        self._path = jwks_path
        self._audience = audience
        self._stamp: tuple[int, int, int] | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._remembered: dict[str, tuple[float, str]] = {}
        self._look()
        self._look_at = time.monotonic() + _LOOK_S

    def verify(self, ticket: str | None) -> str:
        """The caller's name (`maas-authproxy`); TicketInvalid for anything but a good ticket."""
        if not ticket or len(ticket) > _LONGEST:
            raise TicketInvalid
        if time.monotonic() >= self._look_at:
            self._look_again()
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
            key = self._keys[jwt.get_unverified_header(ticket)["kid"]]
            claims = jwt.decode(
                ticket,
                key.key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                options={"require": ["exp", "aud", "sub"]},
            )
            found = _SUBJECT.fullmatch(claims["sub"])
            expires_at = float(claims["exp"])
        except Exception:  # whatever a stranger's bytes make the library raise
            raise TicketInvalid from None
        if found is None:
            raise TicketInvalid
        return expires_at, found.group(1)

    def _look_again(self) -> None:
        self._look_at = time.monotonic() + _LOOK_S
        try:
            self._look()
        except KeysBroken as broken:
            logs.warning("jwks_file_broken", reason=str(broken))

    def _look(self) -> None:
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            keys = jwt.PyJWKSet.from_json(self._path.read_text("utf-8")).keys
        except OSError as error:
            raise KeysBroken(f"the JWKS file {self._path} can't be read: {error.strerror}") from None
        except Exception:
            raise KeysBroken(f"the JWKS file {self._path} is not a set of keys") from None
        found = {key.key_id: key for key in keys if key.key_id and key.algorithm_name in _ALGORITHMS}
        if not found:
            raise KeysBroken(f"the JWKS file {self._path} has no ES256 or RS256 key with a kid")
        self._keys = found
        self._stamp = stamp
        # A ticket whose key was taken away is good no more.
        self._remembered.clear()


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


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


def main(argv: Sequence[str] | None = None) -> None:
    """The command line: `keygen` writes `private.pem` and `jwks.json` into a folder, `issue` prints a ticket."""
    parser = argparse.ArgumentParser(prog="python -m kit.tickets", description="Keys and tickets for local use.")
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    words.add_parser("keygen", help="write private.pem and jwks.json").add_argument("folder", type=Path)
    issuing = words.add_parser("issue", help="print a ticket")
    issuing.add_argument("--key", type=Path, required=True)
    issuing.add_argument("--caller", required=True)
    issuing.add_argument("--days", type=float, default=1.0)
    asked = parser.parse_args(argv)
    if asked.word == "keygen":
        asked.folder.mkdir(parents=True, exist_ok=True)
        pem = new_key()
        private = asked.folder / "private.pem"
        private.touch(0o600)
        private.write_text(pem, "ascii")
        (asked.folder / "jwks.json").write_text(jwks(pem), "ascii")
    else:
        sys.stdout.write(issue(asked.key.read_text("ascii"), asked.caller, asked.days * 86_400) + "\n")


if __name__ == "__main__":
    main()
