"""PostgreSQL: a fair pool, statements, transactions, notifications, and errors named by what to do about them.

    db = await pg.Database.open(dsn, name="maas")
    async with db.transaction() as tx:
        user = await tx.one(model.User, FIND_USER, uid=uid)
        tx.after_commit(queue.ring)

A dict argument is sent as JSON, and so is a list that holds dicts or stands before `::jsonb`; any other list is an
array (`= ANY(%(ids)s)`). Times come back aware, in UTC; JSON comes back parsed. `%` is doubled only in statements with
arguments.
"""

from kit.pg.adapt import Json
from kit.pg.batches import in_batches
from kit.pg.database import Database
from kit.pg.faults import (
    CheckViolation,
    DiskFull,
    ExclusionViolation,
    ForeignKeyViolation,
    LockTimeout,
    OutcomeUnknown,
    RaisedByTrigger,
    ReadOnly,
    SerializationConflict,
    StatementFailed,
    StatementTimeout,
    Unavailable,
    UniqueViolation,
)
from kit.pg.listen import Listener
from kit.pg.statements import Executor, value
from kit.pg.transaction import Transaction

__all__ = [
    "CheckViolation",
    "Database",
    "DiskFull",
    "ExclusionViolation",
    "Executor",
    "ForeignKeyViolation",
    "Json",
    "Listener",
    "LockTimeout",
    "OutcomeUnknown",
    "RaisedByTrigger",
    "ReadOnly",
    "SerializationConflict",
    "StatementFailed",
    "StatementTimeout",
    "Transaction",
    "Unavailable",
    "UniqueViolation",
    "in_batches",
    "value",
]
