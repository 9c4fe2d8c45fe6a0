"""Forward-only migrations: numbered SQL files, each applied once, in order, by one runner at a time.

A file `NNNN_words.sql` is one transaction. One whose first line is `-- no-transaction` (CREATE INDEX CONCURRENTLY) is
sent statement by statement, each ending with `;` at the end of a line; since it may be interrupted in the middle, it
must bear being repeated. A runner that is killed leaves nothing to clean up: its lock ends with its connection.
"""

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from kit import pg
from kit.pg import session

LOCK_KEY = 4_775_190_233_017_254  # any number, the same for ever
LOCK_WAIT_S = 900.0
LOCK_POLL_S = 0.2
# A table that is in use is asked for again and again, each time briefly, so that its readers do not queue behind us.
TABLE_ATTEMPTS = 30
TABLE_PAUSE_S = 1.0

_SETTINGS = {
    "lock_timeout": 2000,
    "statement_timeout": 900_000,
    "idle_in_transaction_session_timeout": 60_000,
    "client_connection_check_interval": 500,
    "client_min_messages": "warning",
}
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_NO_TRANSACTION = re.compile(r"\s*-- no-transaction\b")
_STATEMENT_END = re.compile(r";[ \t]*(?:--[^\n]*)?(?:\n|\Z)")

_CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS public.schema_migrations (
    stream text NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, number)
)
"""
_HAS_TABLE = "SELECT to_regclass('public.schema_migrations') IS NOT NULL AS has_table"
_LIST_APPLIED = "SELECT stream, number, sha256 FROM public.schema_migrations"
_INSERT_APPLIED = "INSERT INTO public.schema_migrations (stream, number, name, sha256) VALUES (%s, %s, %s, %s)"

Applied = Mapping[tuple[str, int], str]


class Failed(Exception):
    """Why the database can't be migrated, as a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A folder of migrations with a numbering of its own."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True)
class _File:
    stream: str
    number: int
    path: Path
    text: str

    @property
    def label(self) -> str:
        return f"{self.stream}/{self.path.stem}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def is_transaction(self) -> bool:
        return not _NO_TRANSACTION.match(self.text)


def apply(dsn: str, streams: Sequence[Stream], report: Callable[[str], None] = print) -> list[str]:
    """Applies what is missing, stream by stream, and names it (`maas/0001_users`); waits for another runner.

    Raises Failed when a file was changed after it was applied, numbers have gaps, or a statement fails.
    """
    files = _files(streams)
    with _connected(dsn) as connection, _locked(connection, report):
        _execute(connection, _CREATE_TABLE)
        missing = _missing(files, _read_applied(connection))
        for file in missing:
            report(f"applying {file.label}")
            _apply_file(connection, file, report)
    return [file.label for file in missing]


def pending(dsn: str, streams: Sequence[Stream]) -> list[str]:
    """Names what `apply` would apply, without changing anything."""
    files = _files(streams)
    with _connected(dsn) as connection:
        has_table = _execute(connection, _HAS_TABLE)[0][0]
        return [file.label for file in _missing(files, _read_applied(connection) if has_table else {})]


async def check(db: pg.Database, streams: Sequence[Stream]) -> list[str]:
    """Names what is missing in the database, for readiness; one that is ahead of this release misses nothing.

    Raises Failed as `apply` does for changed files, pg.Unavailable when the database does not answer.
    """
    files = await asyncio.to_thread(_files, streams)
    applied: dict[tuple[str, int], str] = {}
    if await db.one(pg.value, _HAS_TABLE):
        rows: list[dict[str, Any]] = await db.all(dict, _LIST_APPLIED)
        applied = {(row["stream"], row["number"]): row["sha256"] for row in rows}
    return [file.label for file in _missing(files, applied)]


def _files(streams: Sequence[Stream]) -> list[_File]:
    return [file for stream in streams for file in _stream_files(stream)]


def _stream_files(stream: Stream) -> list[_File]:
    if not stream.folder.is_dir():
        raise Failed(f"stream {stream.name}: the folder {stream.folder} does not exist")
    files = sorted((_file(stream, path) for path in stream.folder.glob("*.sql")), key=lambda file: file.path.name)
    for expected, file in enumerate(files, start=1):
        if file.number < expected:
            raise Failed(f"stream {stream.name}: number {file.number:04d} is taken twice")
        if file.number > expected:
            raise Failed(f"stream {stream.name}: number {expected:04d} is missing before {file.path.name}")
    return files


def _file(stream: Stream, path: Path) -> _File:
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise Failed(f"stream {stream.name}: {path.name} is not named NNNN_words.sql")
    return _File(stream.name, int(named[1]), path, path.read_text(encoding="utf-8"))


def _missing(files: Sequence[_File], applied: Applied) -> list[_File]:
    last = {stream: max(number for name, number in applied if name == stream) for stream, _ in applied}
    missing = []
    for file in files:
        known = applied.get((file.stream, file.number))
        if known is None:
            if file.number < last.get(file.stream, 0):
                raise Failed(f"{file.label} was never applied though number {last[file.stream]:04d} was")
            missing.append(file)
        elif known != file.sha256:
            raise Failed(f"{file.label} was changed after it was applied: restore the file and write a new migration")
    return missing


def _read_applied(connection: Any) -> Applied:
    return {(stream, number): sha256 for stream, number, sha256 in _execute(connection, _LIST_APPLIED)}


@contextlib.contextmanager
def _connected(dsn: str) -> Iterator[Any]:
    wanted = session.parameters(dsn, application_name="migrate", settings=_SETTINGS)
    try:
        connection = psycopg2.connect(psycopg2.extensions.make_dsn(**wanted))
    except psycopg2.OperationalError as error:
        raise Failed(f"the database can't be reached: {str(error).strip()}") from None
    try:
        connection.autocommit = True
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def _locked(connection: Any, report: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock of all runners on this database for the body."""
    # Asked for by polling: a session that waits inside a statement would hold up CREATE INDEX CONCURRENTLY for ever.
    deadline = time.monotonic() + LOCK_WAIT_S
    is_told = False
    while not _execute(connection, "SELECT pg_try_advisory_lock(%s)", LOCK_KEY)[0][0]:
        if time.monotonic() > deadline:
            raise Failed(f"another migration has been running for {LOCK_WAIT_S:.0f} s")
        if not is_told:
            report("waiting for another migration to finish")
            is_told = True
        time.sleep(LOCK_POLL_S)
    yield
    # After a failure the lock ends with the connection, which may be the thing that failed.
    _execute(connection, "SELECT pg_advisory_unlock(%s)", LOCK_KEY)


def _apply_file(connection: Any, file: _File, report: Callable[[str], None]) -> None:
    for attempt in range(1, TABLE_ATTEMPTS + 1):
        try:
            _apply_once(connection, file)
            return
        except psycopg2.errors.LockNotAvailable:
            if attempt == TABLE_ATTEMPTS:
                raise Failed(f"{file.label}: a table it changes stayed locked") from None
            report(f"{file.label} waits for a table that is in use")
            time.sleep(TABLE_PAUSE_S)
        except psycopg2.Error as error:
            raise Failed(f"{file.label} failed: {_reason(error)}") from None


def _reason(error: psycopg2.Error) -> str:
    # Without DETAIL, which quotes rows.
    return error.diag.message_primary or str(error).strip() or type(error).__name__


def _apply_once(connection: Any, file: _File) -> None:
    if file.is_transaction:
        _apply_in_transaction(connection, file)
        return
    for statement in _statements(file.text):
        _execute(connection, statement)
    _note_applied(connection, file)


def _apply_in_transaction(connection: Any, file: _File) -> None:
    _execute(connection, "BEGIN")
    try:
        _execute(connection, file.text)
        if connection.get_transaction_status() != psycopg2.extensions.TRANSACTION_STATUS_INTRANS:
            raise Failed(f"{file.label} ends its transaction itself: take BEGIN, COMMIT and ROLLBACK out")
        _note_applied(connection, file)
        _execute(connection, "COMMIT")
    except BaseException:
        with contextlib.suppress(psycopg2.Error):
            _execute(connection, "ROLLBACK")
        raise


def _statements(text: str) -> list[str]:
    """The statements of a `-- no-transaction` file: each ends with a semicolon at the end of a line."""
    parts = [part.strip() for part in _STATEMENT_END.split(text)]
    return [part for part in parts if re.sub(r"--[^\n]*", "", part).strip()]


def _note_applied(connection: Any, file: _File) -> None:
    _execute(connection, _INSERT_APPLIED, file.stream, file.number, file.path.stem, file.sha256)


def _execute(connection: Any, sql: str, *args: object) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, args or None)
        rows: list[Any] = cursor.fetchall() if cursor.description else []
        return rows
