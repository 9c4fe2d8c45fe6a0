"""What a request or task carries along."""

import asyncio

import pytest

from kit import scope


async def test_gives_what_is_left_of_the_deadline_and_never_less_than_nothing() -> None:
    now = asyncio.get_running_loop().time()
    with scope.entered(scope.Scope("route", deadline=now + 10)):
        assert scope.remaining_s(3.0) == pytest.approx(10, abs=0.5)
    with scope.entered(scope.Scope("route", deadline=now - 10)):
        assert scope.remaining_s(3.0) == 0.0


async def test_knows_no_deadline_outside_of_a_request() -> None:
    assert scope.current() is None
    assert scope.remaining_s(3.0) == 3.0
    with scope.entered(scope.Scope("route")):
        assert scope.remaining_s(3.0) == 3.0


async def test_remembers_a_write_for_its_own_request_alone() -> None:
    scope.note_write()
    with scope.entered(scope.Scope("outer")) as outer:
        with scope.entered(scope.Scope("inner")) as inner:
            scope.note_write()
        assert (inner.has_written, outer.has_written) == (True, False)
        assert scope.current() is outer


async def test_follows_into_the_tasks_that_a_request_starts() -> None:
    async def look() -> scope.Scope | None:
        return scope.current()

    with scope.entered(scope.Scope("route")) as here:
        assert await asyncio.create_task(look()) is here
