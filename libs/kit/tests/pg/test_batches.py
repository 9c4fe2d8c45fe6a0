import pytest

from kit import pg


@pytest.mark.parametrize(("rows", "calls"), [(0, 1), (3, 1), (4, 2), (9, 3)])
async def test_works_in_pieces_until_there_is_less_than_one(rows: int, calls: int) -> None:
    left, asked = rows, list[int]()

    async def work(limit: int) -> int:
        nonlocal left
        asked.append(limit)
        done = min(limit, left)
        left -= done
        return done

    assert await pg.in_batches(work, size=4) == rows
    assert (left, asked) == (0, [4] * calls)
