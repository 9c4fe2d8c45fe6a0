import asyncio

import pytest

from kit import errors, scope


class PromoCodeTaken(errors.Conflict):
    """Somebody has
    this promo code."""


class VIP(errors.Forbidden):
    pass


def test_takes_code_message_and_kind_from_the_class() -> None:
    assert (PromoCodeTaken.code, PromoCodeTaken.kind) == ("promo_code_taken", errors.Kind.CONFLICT)
    assert PromoCodeTaken.message == "Somebody has this promo code."
    assert VIP.code == "vip"


def test_inherits_no_message_of_another_fact() -> None:
    assert VIP.message == "vip"


def test_carries_details() -> None:
    refusal = PromoCodeTaken(series="s")
    assert refusal.details == {"series": "s"}
    assert PromoCodeTaken().details == {}
    with pytest.raises(errors.Refusal, match="promo_code_taken"):
        raise refusal


def test_has_a_class_for_every_kind() -> None:
    kinds = {each.kind for each in errors.Refusal.__subclasses__() if each.__module__ == "kit.errors"}
    assert kinds == set(errors.Kind)


async def test_tells_what_time_is_left() -> None:
    assert scope.current() is None
    assert scope.remaining_s(7) == 7
    now = asyncio.get_running_loop().time()
    with scope.entered(scope.Scope("a", deadline=now + 5)) as outer:
        assert 4 < scope.remaining_s(7) <= 5
        with scope.entered(scope.Scope("b", deadline=now - 5)):
            assert scope.remaining_s(7) == 0
            scope.note_write()
        assert scope.current() is outer
        assert not outer.has_written
        with pytest.raises(KeyError), scope.entered(scope.Scope("c")):
            raise KeyError
        scope.note_write()
    assert outer.has_written
    assert scope.current() is None
    scope.note_write()
