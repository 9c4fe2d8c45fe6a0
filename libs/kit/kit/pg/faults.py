"""What the database can answer instead of rows, named by what a caller may do about it.

The driver's own exceptions never leave this package: their texts hold the values of rows (a phone, a promo code).
"""

from typing import Any

import psycopg2

from kit import errors


class Unavailable(errors.Unavailable):
    """The database can't be reached now; nothing was done."""


class LockTimeout(errors.Unavailable):
    """Somebody else held a lock for too long; nothing was done."""


class ReadOnly(errors.Unavailable):
    """The database takes no writes now; nothing was done."""


class DiskFull(errors.Unavailable):
    """The database has no room left; nothing was done."""


class SerializationConflict(errors.Unavailable):
    """Two transactions were in each other's way and this one was undone."""


class StatementTimeout(errors.Timeout):
    """The database took too long for a statement and gave it up."""


class OutcomeUnknown(errors.Internal):
    """The connection was lost while a change was being committed: it may have happened or not."""


class StatementFailed(errors.Internal):
    """The database refused a statement, which is a mistake of the program."""

    def __init__(self, sqlstate: str, reason: str) -> None:
        super().__init__()
        self.args = (sqlstate, reason)
        self.sqlstate = sqlstate


class _Violation(Exception):
    """A constraint said no; `constraint` is its name, and the message holds no value of the row."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class UniqueViolation(_Violation):
    """Such a row exists already."""


class CheckViolation(_Violation):
    """A CHECK or a NOT NULL (whose `constraint` is the column's name) refuses the row."""


class ForeignKeyViolation(_Violation):
    """The row that is pointed at does not exist, or is still pointed at."""


class ExclusionViolation(_Violation):
    """The row overlaps another one."""


class RaisedByTrigger(_Violation):
    """A trigger or function said RAISE: `message` is its text, `constraint` its USING CONSTRAINT or empty."""

    def __init__(self, constraint: str, message: str) -> None:
        super().__init__(constraint)
        self.args = (constraint, message)
        self.message = message


class ConnectionLost(Exception):
    """Inside this package only: the connection died under a statement, which `was_sent` or not."""

    def __init__(self, reason: str, *, was_sent: bool, is_timeout: bool = False) -> None:
        super().__init__(reason)
        self.was_sent = was_sent
        self.is_timeout = is_timeout


_VIOLATIONS: dict[str, type[_Violation]] = {
    "23505": UniqueViolation,
    "23514": CheckViolation,
    "23503": ForeignKeyViolation,
    "23001": ForeignKeyViolation,
    "23P01": ExclusionViolation,
}

_REFUSALS: dict[str, type[errors.Refusal]] = {
    "57014": StatementTimeout,
    "25P03": StatementTimeout,
    "55P03": LockTimeout,
    "40001": SerializationConflict,
    "40P01": SerializationConflict,
    "25006": ReadOnly,
    "53100": DiskFull,
    "53300": Unavailable,
    "57P01": Unavailable,
    "57P02": Unavailable,
    "57P03": Unavailable,
    "57P05": Unavailable,
}

# After these the server hangs up, whatever the driver thinks of the connection at this moment.
_ENDS_CONNECTION = {"25P03", "57P01", "57P02", "57P03", "57P04", "57P05"}


def ends_connection(error: psycopg2.Error) -> bool:
    """Whether no further statement can be sent after `error`, which came while waiting for an answer."""
    code = error.pgcode
    return code is None or code in _ENDS_CONNECTION or code.startswith("08")


def is_timeout(error: psycopg2.Error) -> bool:
    """Whether the server hung up since the transaction was left idle for too long."""
    return error.pgcode == "25P03"


def translated(error: psycopg2.Error) -> Exception:
    """The exception of this module for an error that the server answered, after which it has changed nothing."""
    code = error.pgcode or ""
    if kind := _VIOLATIONS.get(code):
        return kind(_constraint(error))
    if code == "23502":
        return CheckViolation(error.diag.column_name or "")
    if code == "P0001":
        return RaisedByTrigger(_constraint(error), error.diag.message_primary or "")
    if refusal := _REFUSALS.get(code):
        return refusal()
    if code.startswith("53"):
        return Unavailable()
    return StatementFailed(code, _reason(error))


def _constraint(error: psycopg2.Error) -> str:
    name: Any = error.diag.constraint_name
    return name or ""


def _reason(error: psycopg2.Error) -> str:
    # Class 22 quotes the offending value, which may be personal.
    if (error.pgcode or "").startswith("22"):
        return type(error).__name__
    return error.diag.message_primary or type(error).__name__
