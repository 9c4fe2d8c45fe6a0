"""The smallest service that has everything: `python -m demo WORD`."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from kit import fields, parts, pg, process, stq, web


class NoteSchema(fields.Strict):
    """A note."""

    id = fields.Id(required=True)


NOTE = NoteSchema()


@web.post("/demo/v1/note", callers=("maas",), body=NOTE, answer=NOTE)
async def note(ctx: parts.Parts, call: web.Call) -> Any:
    """Keeps a note and has it counted."""
    async with ctx.db.transaction() as tx:
        await tx.run("INSERT INTO notes (id) VALUES (%(id)s)", id=call.args["id"])
        await ctx.queue.enqueue(tx, "demo.note.count", task_id=call.args["id"], kwargs={"id": call.args["id"]})
    await asyncio.sleep(0.003)
    return call.args


@stq.task("demo.note.count", kwargs=NOTE)
async def count(ctx: parts.Parts, claim: stq.Claim) -> None:
    """Safe to repeat: a counted note stays counted."""
    async with ctx.db.transaction() as tx:
        await tx.run("UPDATE notes SET is_counted = true WHERE id = %(id)s", id=claim.kwargs["id"])
        await claim.finish(tx)


async def show(ctx: parts.Parts, arguments: argparse.Namespace) -> int:
    """Prints how many notes are counted."""
    found = await ctx.db.one(
        pg.value, "SELECT count(*) AS n FROM notes WHERE is_counted = %(yes)s", yes=arguments.counted
    )
    print(found)  # noqa: T201
    return 0


def takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--counted", action="store_true")


SERVICE = process.Service(
    name="demo",
    description="A service for tests",
    settings=process.Settings,
    opened=lambda settings: parts.opened("demo", settings, ()),
    routes=(note,),
    tasks=(count,),
    migrations=Path(__file__).parent / "migrations",
    commands=(process.Command("notes", "count the notes", takes, show),),
)

process.main(SERVICE)
