"""A purchase token and its hash."""

import datetime
import hashlib
import secrets
from dataclasses import dataclass, field

from kit import config, errors

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Issued:
    """A token in clear, for the app alone; it is stored nowhere."""

    token: str = field(repr=False)
    expires_at: datetime.datetime


class UserTokenMismatch(errors.Forbidden):
    """This user_token was not issued for this purchase."""


def new_token() -> str:
    """256 random bits in visible ASCII."""
    return secrets.token_urlsafe(_BYTES)


def hash_of(token: str, salt: config.Secret) -> bytes:
    """What is stored of a token: sha256(token + salt) (MA-58)."""
    return hashlib.sha256((token + salt.reveal()).encode()).digest()
