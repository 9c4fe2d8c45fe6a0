"""The smallest service that has everything: `python -m demo WORD`."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit import caches, fields, parts, pg, process, stq, web


class NoteSchema(fields.Strict):
    """A note."""

    id = fields.Id(required=True)


@dataclass(frozen=True, slots=True)
class Kept:
    """A note in memory."""

    version: int


async def load(db: pg.Executor, keys: Sequence[str]) -> Mapping[str, Kept]:
    """Every note that is asked for, in its first version."""
    return {key: Kept(1) for key in keys}


NOTE = NoteSchema()
NOTES = caches.Keyed("notes", channel="notes", load=load)


@web.post("/demo/v1/note", callers=("maas",), body=NOTE, answer=NOTE)
async def note(ctx: parts.Parts, call: web.Call) -> Any:
    """Keeps a note and has it counted."""
    async with ctx.db.transaction() as tx:
        await tx.run("INSERT INTO notes (id) VALUES (%(id)s)", id=call.args["id"])
        await ctx.queue.enqueue(tx, "demo.note.count", task_id=call.args["id"], kwargs={"id": call.args["id"]})
    await asyncio.sleep(0.003)
    return call.args


@web.get("/demo/v1/note", callers=("maas",), query=NOTE, is_waiting=True, has_etag=True)
async def later(ctx: parts.Parts, call: web.Call) -> web.Ready:
    """Waits for the next version of a note, which never comes."""
    found = await ctx.caches.wait(NOTES, call.args["id"], beyond=1, timeout_s=call.remaining_s)
    return web.Ready({"id": call.args["id"]}, etag=str(found.version if found else 0))


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
    routes=(note, later),
    tasks=(count,),
    caches=(NOTES,),
    migrations=Path(__file__).parent / "migrations",
    commands=(process.Command("notes", "count the notes", takes, show),),
)

process.main(SERVICE)
