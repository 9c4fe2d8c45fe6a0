"""Whether what must stay unseen was written down anywhere."""

from pathlib import Path

from chaos.stage import Stage
from kit import pg

_TABLES = """
SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""
_HOLDING = """
SELECT count(*) FROM $table AS t
WHERE EXISTS (SELECT FROM unnest(%(secrets)s::text[]) AS secret WHERE strpos(t::text, secret) > 0)
"""


async def seen_in_clear(stage: Stage, secrets: set[str]) -> list[str]:
    """Where any of the secrets is: a log of the stack, a table of a database."""
    places = [
        f"the log {path.name}"
        for path in sorted(Path(stage.stack.folder / "logs").glob("*.log"))
        if any(secret in text for text in [path.read_text("utf-8", errors="replace")] for secret in secrets)
    ]
    for service, db in stage.databases.items():
        places += [f"{table} of {service}" for table in await _holding(db, secrets)]
    return places


async def _holding(db: pg.Database, secrets: set[str]) -> list[str]:
    return [
        table
        for table in await db.all(pg.value, _TABLES)
        if await db.one(pg.value, _HOLDING.replace("$table", table), secrets=sorted(secrets))
    ]
