"""Work on many rows in pieces: each piece is a short transaction, and what a crash interrupts goes on where it was."""

from collections.abc import Awaitable, Callable

SIZE = 1000


async def in_batches(work: Callable[[int], Awaitable[int]], *, size: int = SIZE) -> int:
    """Calls `work(size)`, which touches at most so many rows and says how many, until it finds fewer; how many in all.

    await pg.in_batches(lambda limit: queries.delete_old(db, days=days, limit=limit))
    """
    total, batch = 0, size
    while batch >= size:
        batch = await work(size)
        total += batch
    return total
