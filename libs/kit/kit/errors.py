"""What can go wrong, said once: kinds, and refusals that are classes named as facts.

A refusal is raised by whoever knows the fact and is turned into an answer by `kit.web` alone. Its docstring is the
message for people, its code the class name in lower_snake, its kind the base class:

    class ActiveSubscriptionExists(errors.Conflict):
        "This person already has a live subscription."
"""

import enum
import re
from typing import Any, ClassVar

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Kind(enum.Enum):
    """What sort of fact a refusal is; `kit.web` maps each to its status."""

    INVALID = "invalid"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    CONFLICT = "conflict"
    GONE = "gone"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    TOO_MANY = "too_many"
    INTERNAL = "internal"
    BAD_NEIGHBOUR = "bad_neighbour"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"


class Refusal(Exception):
    """A fact that ends a request or a task; `details` goes out with it and must hold nothing secret."""

    kind: ClassVar[Kind]
    code: ClassVar[str] = ""
    message: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = _WORDS.sub("_", cls.__name__).lower()
        cls.message = " ".join((cls.__doc__ or cls.code).split())

    def __init__(self, **details: Any) -> None:
        super().__init__(self.code, details)
        self.details = details


class Invalid(Refusal):
    """The request is malformed."""

    kind = Kind.INVALID


class Unauthorized(Refusal):
    """The caller is not known."""

    kind = Kind.UNAUTHORIZED


class Forbidden(Refusal):
    """The caller may not do this."""

    kind = Kind.FORBIDDEN


class NotFound(Refusal):
    """There is no such thing."""

    kind = Kind.NOT_FOUND


class MethodNotAllowed(Refusal):
    """This path does not take this method."""

    kind = Kind.METHOD_NOT_ALLOWED


class NotAcceptable(Refusal):
    """There is nothing here that this caller can use."""

    kind = Kind.NOT_ACCEPTABLE


class Conflict(Refusal):
    """The present state does not allow this."""

    kind = Kind.CONFLICT


class Gone(Refusal):
    """This existed and is over."""

    kind = Kind.GONE


class TooLarge(Refusal):
    """The request is too large."""

    kind = Kind.TOO_LARGE


class Unsupported(Refusal):
    """The request body has a content type that is not served."""

    kind = Kind.UNSUPPORTED


class TooMany(Refusal):
    """Too many requests."""

    kind = Kind.TOO_MANY


class Internal(Refusal):
    """The service failed."""

    kind = Kind.INTERNAL


class BadNeighbour(Refusal):
    """A neighbouring service answered something that makes no sense."""

    kind = Kind.BAD_NEIGHBOUR


class Unavailable(Refusal):
    """The service can't do this now; nothing was done."""

    kind = Kind.UNAVAILABLE


class Timeout(Refusal):
    """The time for this was spent; what was done is unknown."""

    kind = Kind.TIMEOUT
