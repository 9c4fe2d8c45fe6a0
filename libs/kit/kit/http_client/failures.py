"""What a call can end with when it does not end well; each says whether something may have been done."""

from typing import Any, ClassVar

from kit import errors


class Failure(errors.Refusal):
    """A call to a neighbour failed."""

    outcome: ClassVar[str]
    is_repeatable: ClassVar[bool] = True

    def __init__(self, neighbour: str = "", operation: str = "", **details: Any) -> None:
        super().__init__(neighbour=neighbour, operation=operation, **details)
        # The answer as it came, when one came at all; it never leaves in the error form or in a log line.
        self.raw: Any = None


class NeighbourUnavailable(Failure, errors.Unavailable):
    """A neighbouring service can't be asked now; nothing was done."""

    outcome = "unavailable"


class NeighbourTimeout(Failure, errors.Timeout):
    """A neighbouring service did not answer in time; what it did is unknown."""

    outcome = "timeout"


class NeighbourFailed(Failure, errors.BadNeighbour):
    """A neighbouring service failed while it was asked; what it did is unknown."""

    outcome = "failed"


class NeighbourRefused(Failure, errors.BadNeighbour):
    """A neighbouring service refused the call."""

    outcome = "refused"
    is_repeatable = False

    def __init__(self, neighbour: str = "", operation: str = "", *, status: int = 0, reason: str = "") -> None:
        super().__init__(neighbour, operation, status=status, reason=reason)
        self.status = status
        # The neighbour's code; `code` is ours, and is what our own caller is told.
        self.reason = reason


class NeighbourGarbage(Failure, errors.BadNeighbour):
    """A neighbouring service answered something that makes no sense."""

    outcome = "garbage"
    is_repeatable = False


class Trouble(Exception):
    """Why an exchange broke off, before it is known whose call it was: a failure's class and its reason."""

    def __init__(self, failure: type[Failure], reason: str, **details: Any) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason
        self.details = details
