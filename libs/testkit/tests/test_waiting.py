import pytest

from testkit import until


async def test_returns_the_first_true_value() -> None:
    answers = iter([0, None, "", 7])
    assert await until(lambda: next(answers)) == 7


async def test_awaits_a_condition_that_is_async() -> None:
    answers = iter([False, True])

    async def is_done() -> bool:
        return next(answers)

    assert await until(is_done)


async def test_names_the_condition_that_never_came() -> None:
    with pytest.raises(AssertionError, match=r"not so after 0.02 s: .*<lambda>.*test_waiting.py"):
        await until(lambda: False, timeout_s=0.02)


async def test_shows_the_last_failed_assert() -> None:
    def is_three() -> bool:
        assert 1 + 1 == 3
        return True

    with pytest.raises(AssertionError, match="not so after") as caught:
        await until(is_three, timeout_s=0.02)
    assert isinstance(caught.value.__cause__, AssertionError)
