"""Time travel: instead of moving a clock, everything that a database remembers is moved into the past.

The services judge expiry by the database's clock, so this is what they would see if the time had really passed.
"""

import datetime
from dataclasses import dataclass

from kit import pg

_TABLES = """
SELECT format('%%I.%%I', table_schema, table_name) AS "table",
       string_agg(format('%%1$I = %%1$I - $span$', column_name), ', ') AS moves
FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE data_type = 'timestamp with time zone' AND table_type = 'BASE TABLE' AND table_schema = ANY(%(schemas)s)
GROUP BY table_schema, table_name
"""


@dataclass(frozen=True, slots=True)
class _Table:
    table: str
    moves: str


async def advance(dsn: str, span: datetime.timedelta, *, schemas: tuple[str, ...]) -> None:
    """Makes `span` pass for the tables of `schemas`; needs a superuser, since no trigger may see it."""
    db = await pg.Database.open(dsn, name="clock", size=1)
    try:
        async with db.transaction() as tx:
            await tx.run("SET LOCAL session_replication_role = replica")
            for moved in await tx.all(_Table, _TABLES, schemas=list(schemas)):
                await tx.run(f"UPDATE {moved.table} SET {moved.moves.replace('$span$', '%(span)s')}", span=span)
    finally:
        await db.close()
